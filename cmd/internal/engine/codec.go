package engine

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/stanch-soar/stanch/integrations"
)

// Key is a named AES-256 key.
type Key struct {
	// ID is written with every payload, so that the key can be found again.
	ID     string
	secret integrations.Secret
}

const keyBytes = 32

// ParseKeys reads keys as id:base64, separated by commas or white space. The
// first encrypts, all decrypt. To rotate, put a new one in front, and remove
// the old one when no history that it encrypted is kept any more. To make a
// key: openssl rand -base64 32.
func ParseKeys(text integrations.Secret) ([]Key, error) {
	var keys []Key
	for i, word := range strings.FieldsFunc(text.Reveal(), func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		id, encoded, _ := strings.Cut(word, ":")
		// The word is never quoted: it may be a key that lacks its id.
		if id == "" || encoded == "" || len(id) > 64 {
			return nil, fmt.Errorf("encryption key %d is not of the form id:base64", i+1)
		}
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(secret) != keyBytes {
			return nil, fmt.Errorf("encryption key %d is not %d bytes in base64: make one with openssl rand -base64 %d", i+1, keyBytes, keyBytes)
		}
		if slices.ContainsFunc(keys, func(k Key) bool { return k.ID == id }) {
			return nil, fmt.Errorf("encryption key %d has the id of another", i+1)
		}
		keys = append(keys, Key{ID: id, secret: integrations.Secret(secret)})
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no encryption key")
	}
	return keys, nil
}

// The metadata of an encrypted payload.
const (
	encodingEncrypted = "binary/encrypted"
	metadataKeyID     = "encryption-key-id"
)

// Codec encrypts payloads with AES-256-GCM. Each payload is bound to the id of
// its key; its nonce is random, so a key should be rotated before it has
// encrypted 2^32 payloads.
type Codec struct {
	first string
	aeads map[string]cipher.AEAD
}

var _ converter.PayloadCodec = (*Codec)(nil)

// NewCodec returns a codec for one or more keys.
func NewCodec(keys []Key) (*Codec, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no encryption key")
	}
	c := &Codec{first: keys[0].ID, aeads: map[string]cipher.AEAD{}}
	for _, k := range keys {
		block, err := aes.NewCipher([]byte(k.secret.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("encryption key %q: %w", k.ID, err)
		}
		if c.aeads[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("encryption key %q: %w", k.ID, err)
		}
	}
	return c, nil
}

// Encode implements converter.PayloadCodec.
func (c *Codec) Encode(payloads []*common.Payload) ([]*common.Payload, error) {
	return each(payloads, c.encrypt)
}

// Decode implements converter.PayloadCodec. A payload that is not encrypted is
// returned unchanged: histories from before the first key must stay readable.
func (c *Codec) Decode(payloads []*common.Payload) ([]*common.Payload, error) {
	return each(payloads, c.decrypt)
}

// each turns each payload into another.
func each(payloads []*common.Payload, turn func(*common.Payload) (*common.Payload, error)) ([]*common.Payload, error) {
	turned := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		var err error
		if turned[i], err = turn(p); err != nil {
			return nil, err
		}
	}
	return turned, nil
}

func encodedAs(p *common.Payload, encoding string) bool {
	return string(p.GetMetadata()[converter.MetadataEncoding]) == encoding
}

func (c *Codec) encrypt(p *common.Payload) (*common.Payload, error) {
	plain, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encrypt a payload: %w", err)
	}
	aead := c.aeads[c.first]
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	// It never fails: the runtime ends the process before that.
	_, _ = rand.Read(nonce)
	return &common.Payload{
		Metadata: map[string][]byte{
			converter.MetadataEncoding: []byte(encodingEncrypted),
			metadataKeyID:              []byte(c.first),
		},
		Data: aead.Seal(nonce, nonce, plain, []byte(c.first)),
	}, nil
}

func (c *Codec) decrypt(p *common.Payload) (*common.Payload, error) {
	if !encodedAs(p, encodingEncrypted) {
		return p, nil
	}
	id := string(p.GetMetadata()[metadataKeyID])
	aead, ok := c.aeads[id]
	if !ok {
		return nil, fmt.Errorf("decrypt a payload: there is no key with the id %.64q", id)
	}
	if len(p.GetData()) < aead.NonceSize() {
		return nil, fmt.Errorf("decrypt a payload of key %.64q: it is cut off", id)
	}
	nonce, sealed := p.GetData()[:aead.NonceSize()], p.GetData()[aead.NonceSize():]
	data, err := aead.Open(nil, nonce, sealed, []byte(id))
	if err != nil {
		return nil, fmt.Errorf("decrypt a payload of key %.64q: it was changed, or the key of that id is another one", id)
	}
	plain := &common.Payload{}
	if err := proto.Unmarshal(data, plain); err != nil {
		return nil, fmt.Errorf("decrypt a payload of key %.64q: %w", id, err)
	}
	return plain, nil
}
