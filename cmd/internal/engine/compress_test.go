package engine

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

func TestLargePayloadsAreCompressed(t *testing.T) {
	noise := make([]byte, 2*plainBytes)
	_, _ = rand.Read(noise)
	for name, c := range map[string]struct {
		value      any
		compressed bool
	}{
		"an alert":             {"CORP\\kim ran updater.exe", false},
		"nothing":              {nil, false},
		"as large as may be":   {strings.Repeat("a", plainBytes-2), false},
		"a storm":              {strings.Repeat(`{"host":"ws-17"},`, plainBytes), true},
		"what does not shrink": {noise, false},
	} {
		t.Run(name, func(t *testing.T) {
			plain := payload(t, c.value)
			encoded, err := compressor{}.Encode([]*common.Payload{plain})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(encoded[0].Metadata[converter.MetadataEncoding]) == encodingCompressed; got != c.compressed {
				t.Errorf("compressed is %v, want %v", got, c.compressed)
			}
			if c.compressed && len(encoded[0].Data) > len(plain.Data)/5 {
				t.Errorf("%d bytes became %d", len(plain.Data), len(encoded[0].Data))
			}
			decoded, err := compressor{}.Decode(encoded)
			if err != nil || !proto.Equal(decoded[0], plain) {
				t.Errorf("it does not come back as it was: %v", err)
			}
		})
	}
}

func TestWhatIsEncryptedWasCompressedBefore(t *testing.T) {
	c := Config{Keys: keys(t, "first")}
	converters, err := c.DataConverter()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a flow that is like the one before it; ", plainBytes)
	p, err := converters.ToPayload(text)
	if err != nil {
		t.Fatal(err)
	}
	if string(p.Metadata[converter.MetadataEncoding]) != encodingEncrypted || len(p.Data) > len(text)/10 {
		t.Errorf("%d bytes became %d of encoding %s", len(text), len(p.Data), p.Metadata[converter.MetadataEncoding])
	}
	var got string
	if err := converters.FromPayload(p, &got); err != nil || got != text {
		t.Errorf("it comes back as %d bytes (%v)", len(got), err)
	}
}

func TestADamagedCompressedPayloadIsRefused(t *testing.T) {
	good := s2.Encode(nil, bytes.Repeat([]byte{0xff}, plainBytes))
	for name, data := range map[string][]byte{
		"nothing":    nil,
		"cut off":    good[:len(good)/2],
		"too large":  append(binary.AppendUvarint(nil, maxPlain+1), good...),
		"no payload": good,
	} {
		t.Run(name, func(t *testing.T) {
			p := &common.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encodingCompressed)}, Data: data}
			if _, err := (compressor{}).Decode([]*common.Payload{p}); err == nil {
				t.Error("it is read")
			}
		})
	}
}
