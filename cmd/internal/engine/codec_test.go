package engine

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/stanch-soar/stanch/integrations"
)

// keys makes keys of the given ids; the secret of an id is always the same.
func keys(t *testing.T, ids ...string) []Key {
	t.Helper()
	var words []string
	for _, id := range ids {
		words = append(words, id+":"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(id[:1]), keyBytes)))
	}
	parsed, err := ParseKeys(integrations.Secret(strings.Join(words, ",\n")))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func codec(t *testing.T, ids ...string) *Codec {
	t.Helper()
	c, err := NewCodec(keys(t, ids...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func payload(t *testing.T, v any) *common.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encode(t *testing.T, c *Codec, p *common.Payload) *common.Payload {
	t.Helper()
	encoded, err := c.Encode([]*common.Payload{p})
	if err != nil {
		t.Fatal(err)
	}
	return encoded[0]
}

func TestCodecRoundTrip(t *testing.T) {
	for name, plain := range map[string]*common.Payload{
		"text":  payload(t, "CORP\\kim ran updater.exe"),
		"nil":   payload(t, nil),
		"bytes": payload(t, bytes.Repeat([]byte{0xff}, 1<<16)),
		"empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			c := codec(t, "new", "old")
			sealed := encode(t, c, plain)
			if data := plain.GetData(); len(data) > 0 && bytes.Contains(sealed.GetData(), data) {
				t.Error("the payload can be read without a key")
			}
			if again := encode(t, c, plain); bytes.Equal(again.GetData(), sealed.GetData()) {
				t.Error("the same payload is encrypted to the same bytes twice")
			}
			decoded, err := c.Decode([]*common.Payload{sealed})
			if err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(decoded[0], plain) {
				t.Errorf("got %v, want %v", decoded[0], plain)
			}
		})
	}
}

func TestCodecRotation(t *testing.T) {
	plain := payload(t, "text")
	sealed := encode(t, codec(t, "old"), plain)
	decoded, err := codec(t, "new", "old").Decode([]*common.Payload{sealed, plain})
	if err != nil {
		t.Fatal(err)
	}
	for i, what := range []string{"of the old key", "from before the first key"} {
		if !proto.Equal(decoded[i], plain) {
			t.Errorf("a payload %s is %v", what, decoded[i])
		}
	}
	if id := string(encode(t, codec(t, "new", "old"), plain).GetMetadata()[metadataKeyID]); id != "new" {
		t.Errorf("encrypted with key %q, want the first", id)
	}
}

func TestCodecRefuses(t *testing.T) {
	const changed = `decrypt a payload of key "a": it was changed, or the key of that id is another one`
	for _, c := range []struct {
		name   string
		change func(*common.Payload)
		with   []string
		want   string
	}{
		{"changed text", func(p *common.Payload) { p.Data[len(p.Data)-20] ^= 1 }, []string{"a"}, changed},
		{"changed nonce", func(p *common.Payload) { p.Data[0] ^= 1 }, []string{"a"}, changed},
		{"cut off", func(p *common.Payload) { p.Data = p.Data[:len(p.Data)-1] }, []string{"a"}, changed},
		{"nothing left", func(p *common.Payload) { p.Data = p.Data[:3] }, []string{"a"}, `decrypt a payload of key "a": it is cut off`},
		{"another key's id", func(p *common.Payload) { p.Metadata[metadataKeyID] = []byte("ab") }, []string{"a", "ab"}, strings.Replace(changed, `"a"`, `"ab"`, 1)},
		{"no such key", func(*common.Payload) {}, []string{"b"}, `decrypt a payload: there is no key with the id "a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			sealed := encode(t, codec(t, "a"), payload(t, "some text that is long enough"))
			c.change(sealed)
			decoded, err := codec(t, c.with...).Decode([]*common.Payload{sealed})
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if decoded != nil {
				t.Errorf("gave out %v", decoded)
			}
		})
	}
}

func TestParseKeysRefuses(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(make([]byte, keyBytes))
	for text, want := range map[string]string{
		"":                          "there is no encryption key",
		good:                        "encryption key 1 is not of the form id:base64",
		":" + good:                  "encryption key 1 is not of the form id:base64",
		"a:" + good + " b:c2hvcnQ=": "encryption key 2 is not 32 bytes in base64: make one with openssl rand -base64 32",
		"a:" + good + ",a:" + good:  "encryption key 2 has the id of another",
	} {
		_, err := ParseKeys(integrations.Secret(text))
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("a"), []byte("twelve bytes and more"))
	f.Fuzz(func(t *testing.T, id, data []byte) {
		p := &common.Payload{Data: data, Metadata: map[string][]byte{
			converter.MetadataEncoding: []byte(encodingEncrypted),
			metadataKeyID:              id,
		}}
		if decoded, err := codec(t, "a").Decode([]*common.Payload{p}); err == nil {
			t.Errorf("made %v out of %q", decoded, data)
		}
	})
}
