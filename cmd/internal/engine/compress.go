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
	// plainBytes is the size up to which a payload stays readable for the engine's own
	// tools. It is a little less than the 32 KiB above which gRPC takes a buffer
	// of 1 MiB for a message, on each of its hops through the engine.
	plainBytes = 24 << 10
	// maxPlain bounds the size of a decompressed payload. The engine takes 2 MiB at once.
	maxPlain = 64 << 20
)

// compressor compresses large payloads: the alerts of a storm, which are much
// alike, and facts with hundreds of flows.
type compressor struct{}

var _ converter.PayloadCodec = compressor{}

// Encode implements converter.PayloadCodec. A payload that does not become
// smaller is left unchanged.
func (compressor) Encode(payloads []*common.Payload) ([]*common.Payload, error) {
	return each(payloads, compress)
}

// Decode implements converter.PayloadCodec. A payload that is not compressed is
// returned unchanged.
func (compressor) Decode(payloads []*common.Payload) ([]*common.Payload, error) {
	return each(payloads, decompress)
}

func compress(p *common.Payload) (*common.Payload, error) {
	if len(p.GetData()) <= plainBytes {
		return p, nil
	}
	plain, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("compress a payload: %w", err)
	}
	data := s2.Encode(nil, plain)
	if len(data) >= len(plain) {
		return p, nil
	}
	return &common.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encodingCompressed)}, Data: data,
	}, nil
}

func decompress(p *common.Payload) (*common.Payload, error) {
	if !encodedAs(p, encodingCompressed) {
		return p, nil
	}
	size, err := s2.DecodedLen(p.GetData())
	if err != nil {
		return nil, fmt.Errorf("decompress a payload: %w", err)
	}
	if size > maxPlain {
		return nil, fmt.Errorf("decompress a payload: it grows to %d bytes, more than %d", size, maxPlain)
	}
	raw, err := s2.Decode(nil, p.GetData())
	if err != nil {
		return nil, fmt.Errorf("decompress a payload: %w", err)
	}
	plain := &common.Payload{}
	if err := proto.Unmarshal(raw, plain); err != nil {
		return nil, errors.New("decompress a payload: what is in it is no payload")
	}
	return plain, nil
}
