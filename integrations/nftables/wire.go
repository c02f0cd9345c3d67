package nftables

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// wireVersion is that of requests and answers. Each side refuses any other.
const wireVersion = 1

const (
	// maxRequest bounds a request in bytes: one limit with a long key and all its addresses.
	maxRequest = 32 << 10
	// maxAnswer bounds an answer in bytes: the list of a full table.
	maxAnswer = 16 << 20
)

// verb is what a request asks for, from a closed set.
type verb string

const (
	verbAdd   verb = "add"
	verbDel   verb = "del"
	verbList  verb = "list"
	verbCheck verb = "check"
)

// request is what the helper at a gateway reads: one JSON object. There is nothing in it
// by which another table, a file or a program could be named.
type request struct {
	Version int `json:"version"`
	// Ask is random text that the answer repeats, so that no other text passes for it.
	Ask string `json:"ask"`
	Do  verb   `json:"do"`
	// Most is how many limits may stand, where that is less than the helper's own number.
	Most int `json:"most,omitempty"`
	// Limit is what add, del and check are about; a check without it is of the gateway.
	Limit *Limit `json:"limit,omitempty"`
	// Of narrows a list to what holds some of this traffic.
	Of *Scope `json:"of,omitempty"`
}

// answer is what the helper writes: one JSON object.
type answer struct {
	Version int    `json:"version"`
	Ask     string `json:"ask"`
	// Refused is why it did nothing; the other members are empty then.
	Refused *refusal `json:"refused,omitempty"`
	// Limits answer a list, Limit an add, Deleted a del, Gateway a check of the gateway.
	Limits  []Limit  `json:"limits,omitempty"`
	Limit   *Limit   `json:"limit,omitempty"`
	Deleted bool     `json:"deleted,omitempty"`
	Gateway *gateway `json:"gateway,omitempty"`
}

// refusal is an error of the closed set of kinds.
type refusal struct {
	Kind integrations.Kind `json:"kind"`
	Why  string            `json:"why"`
}

// gateway is what the helper is configured with, and what it holds. It is for people.
type gateway struct {
	// Helper is the version of the program.
	Helper     string            `json:"helper"`
	Networks   []netip.Prefix    `json:"networks"`
	Actions    []incident.Action `json:"actions"`
	Link       int64             `json:"link,omitempty"`
	LowestRate int64             `json:"lowest_rate,omitempty"`
	MaxLimits  int               `json:"max_limits"`
	Standing   int               `json:"standing"`
	// Past is what leads packets past the table; a helper that does not look has none.
	Past *past `json:"past,omitempty"`
}

// UnmarshalJSON reads it also where a newer helper tells more: nothing is done by it.
func (g *gateway) UnmarshalJSON(text []byte) error {
	type plain gateway
	return json.Unmarshal(text, (*plain)(g))
}

// unmarshalOne decodes one JSON object of a version. Another version is told before
// anything else of it is looked at; unknown members and a second object are errors.
func unmarshalOne(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("it is not one JSON object: %w", plain(err))
	}
	if head.Version == nil {
		return errors.New("it has no version")
	}
	if *head.Version != wireVersion {
		return &versionError{*head.Version}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("it is not understood: %w", plain(err))
	}
	return nil
}

// plain is an error of the decoder without the names of our types.
func plain(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return err
	case wrong.Field == "":
		return fmt.Errorf("it is of another type: %s", wrong.Value)
	}
	return fmt.Errorf("%s cannot be: %s", wrong.Field, wrong.Value)
}

// versionError is of a text of another version.
type versionError struct{ got int }

func (e *versionError) Error() string {
	return fmt.Sprintf("it is of version %d of the protocol, and version %d is spoken here", e.got, wireVersion)
}

// readBounded reads a text of at most a number of bytes.
func readBounded(r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read it: %w", err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("it is larger than %d bytes", most)
	}
	return text, nil
}

// same reports whether two scopes are of the same traffic.
func (s Scope) same(other Scope) bool {
	return s.Action == other.Action && slices.Equal(s.Addresses, other.Addresses) &&
		(s.Filter == nil) == (other.Filter == nil) && (s.Filter == nil || *s.Filter == *other.Filter)
}

// covers reports whether it holds all of another one of the same filter.
func (s Scope) covers(other Scope) bool {
	return !slices.ContainsFunc(other.Addresses, func(a netip.Addr) bool { return !slices.Contains(s.Addresses, a) })
}
