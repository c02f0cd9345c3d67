package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// canonical encodes a case so that the same case gives the same bytes: sorted
// keys, numbers as they were, no HTML escaping. Two things are left out: the
// alerts' documents, which are next to it as they were received, and the folder,
// as a bundle does not record its location.
func canonical(c incident.Case) ([]byte, error) {
	c.EvidenceDir = ""
	c.Facts.Alert.Raw = nil
	c.Alerts = slices.Clone(c.Alerts)
	for i := range c.Alerts {
		c.Alerts[i].Raw = nil
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the case: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var sorted any
	if err := dec.Decode(&sorted); err != nil {
		return nil, fmt.Errorf("sort the case: %w", err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(sorted); err != nil {
		return nil, fmt.Errorf("encode the sorted case: %w", err)
	}
	return out.Bytes(), nil
}

func list(files map[string][]byte) []File {
	out := make([]File, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		out = append(out, File{Path: name, Size: int64(len(files[name])), SHA256: hex.EncodeToString(sum[:])})
	}
	return out
}

// sums is the format of sha256sum. Paths have no character that it would escape;
// see [component].
func sums(files []File) []byte {
	var b bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, f.Path)
	}
	return b.Bytes()
}

// component makes s one safe part of a path: letters, digits, dot, dash and
// underscore, at most 64 characters, never hidden and never a parent folder. A
// changed name ends in a digest of the original, so that two names never become
// one.
func component(s string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_', r == '-':
			return r
		default:
			return '-'
		}
	}, s[:min(len(s), 64)])
	safe = strings.Trim(safe, ".-")
	if safe == s {
		return safe
	}
	sum := sha256.Sum256([]byte(s))
	digest := hex.EncodeToString(sum[:4])
	return strings.Trim(safe[:min(len(safe), 55)]+"-"+digest, ".-")
}
