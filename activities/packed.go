package activities

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// maxPacked bounds what is unpacked.
const maxPacked = 16 << 20

// Packed is a value that history holds compressed: flows and connections are
// many and much alike, and a case enriches again while a storm lasts.
type Packed[T any] struct{ Value T }

// MarshalJSON implements [json.Marshaler].
func (p Packed[T]) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(p.Value)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("pack a value: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack a value: %w", err)
	}
	return json.Marshal(packed.Bytes())
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *Packed[T]) UnmarshalJSON(data []byte) error {
	var packed []byte
	if err := json.Unmarshal(data, &packed); err != nil {
		return fmt.Errorf("read a packed value: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("unpack a value: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxPacked+1))
	if err != nil {
		return fmt.Errorf("unpack a value: %w", err)
	}
	if len(plain) > maxPacked {
		return fmt.Errorf("unpack a value: it has more than %d bytes", maxPacked)
	}
	if err := json.Unmarshal(plain, &p.Value); err != nil {
		return fmt.Errorf("read an unpacked value: %w", err)
	}
	return nil
}
