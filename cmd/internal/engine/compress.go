package engine

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

const (
	encodingCompressed = "binary/s2"
	// plainBytes is up to where a payload stays readable for the engine's own
	// tools. It is a little less than the 32 KiB beyond which gRPC takes a buffer
	// of 1 MiB for a message, on each of its ways through the engine.
	plainBytes = 24 << 10
	// maxPlain bounds what a payload may grow to. The engine takes 2 MiB at once.
	maxPlain = 64 << 20
)

// compressor compresses large payloads: the alerts of a storm, which are much
// alike, and facts with hundreds of flows.
type compressor struct{}

var _ converter.PayloadCodec = compressor{}

// Encode implements converter.PayloadCodec. A payload that does not become
// smaller stays as it is.
func (compressor) Encode(payloads []*common.Payload) ([]*common.Payload, error) {
	encoded := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		encoded[i] = p
		if len(p.GetData()) <= plainBytes {
			continue
		}
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("compress a payload: %w", err)
		}
		if data := s2.Encode(nil, plain); len(data) < len(plain) {
			encoded[i] = &common.Payload{
				Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encodingCompressed)}, Data: data,
			}
		}
	}
	return encoded, nil
}

// Decode implements converter.PayloadCodec. A payload that is not compressed is
// returned as it is.
func (compressor) Decode(payloads []*common.Payload) ([]*common.Payload, error) {
	decoded := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != encodingCompressed {
			decoded[i] = p
			continue
		}
		plain, err := decompress(p.GetData())
		if err != nil {
			return nil, fmt.Errorf("decompress a payload: %w", err)
		}
		decoded[i] = plain
	}
	return decoded, nil
}

func decompress(data []byte) (*common.Payload, error) {
	size, err := s2.DecodedLen(data)
	if err != nil {
		return nil, err
	}
	if size > maxPlain {
		return nil, fmt.Errorf("it grows to %d bytes, more than %d", size, maxPlain)
	}
	raw, err := s2.Decode(nil, data)
	if err != nil {
		return nil, err
	}
	plain := &common.Payload{}
	if err := proto.Unmarshal(raw, plain); err != nil {
		return nil, errors.New("what is in it is no payload")
	}
	return plain, nil
}
