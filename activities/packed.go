package activities

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

const (
	// maxPacked bounds what is unpacked.
	maxPacked = 16 << 20
	// plainBelow is the size below which compressing costs more than it saves.
	plainBelow = 4 << 10
)

// Packed is a value that history holds compressed when it is large: flows and
// connections are many and much alike, and a case enriches again while a storm
// lasts.
type Packed[T any] struct{ Value T }

// plain is how a small value is written in history; a compressed one is a string.
type plain struct {
	Plain json.RawMessage `json:"plain"`
}

// MarshalJSON implements [json.Marshaler].
func (p Packed[T]) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(p.Value)
	if err != nil {
		return nil, err
	}
	if len(data) < plainBelow {
		return json.Marshal(plain{data})
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
	if small := (plain{}); bytes.HasPrefix(data, []byte("{")) {
		if err := json.Unmarshal(data, &small); err != nil {
			return fmt.Errorf("read a value: %w", err)
		}
		if err := json.Unmarshal(small.Plain, &p.Value); err != nil {
			return fmt.Errorf("read a value: %w", err)
		}
		return nil
	}
	var packed []byte
	if err := json.Unmarshal(data, &packed); err != nil {
		return fmt.Errorf("read a packed value: %w", err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("unpack a value: %w", err)
	}
	unpacked, err := io.ReadAll(io.LimitReader(r, maxPacked+1))
	if err != nil {
		return fmt.Errorf("unpack a value: %w", err)
	}
	if len(unpacked) > maxPacked {
		return fmt.Errorf("unpack a value: it has more than %d bytes", maxPacked)
	}
	if err := json.Unmarshal(unpacked, &p.Value); err != nil {
		return fmt.Errorf("read an unpacked value: %w", err)
	}
	return nil
}
