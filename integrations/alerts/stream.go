package alerts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

// maxTorn bounds how often a body is read on behind what cannot be read.
const maxTorn = 16

// Stream finds the alerts in a body of JSON values that follow one another, with or
// without line breaks between them, as shippers of logs and templates without a list
// write them. A list among them gives its elements. What is behind a value that cannot
// be read is one document, which says so when it is read, up to the next line that begins
// with an object: a line that was cut takes nothing from those that follow.
func Stream(body json.RawMessage) ([]Document, *FieldError) {
	var all []Document
	dec := json.NewDecoder(bytes.NewReader(body))
	for torn := 0; ; {
		start := dec.InputOffset()
		var value json.RawMessage
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) {
			if len(bytes.TrimSpace(body)) == 0 {
				return nil, Wrong("", "is empty")
			}
			return all, nil
		}
		path := "[" + strconv.Itoa(len(all)) + "]"
		if err != nil {
			rest := bytes.TrimSpace(body[start:])
			next := bytes.Index(rest, []byte("\n{"))
			switch torn++; {
			case next >= 0 && rest[0] == '{' && torn <= maxTorn:
				all = append(all, Document{Path: path, Raw: bytes.TrimSpace(rest[:next])})
				body = rest[next+1:]
				dec = json.NewDecoder(bytes.NewReader(body))
				continue
			case len(all) == 0:
				return nil, Wrong("", "is not JSON: %s", jsonProblem(err))
			}
			return append(all, Document{Path: path, Raw: rest}), nil
		}
		if !IsList(value) {
			all = append(all, Document{Path: path, Raw: value})
			continue
		}
		var items []json.RawMessage
		// What was decoded is a list.
		_ = json.Unmarshal(value, &items)
		for _, item := range items {
			all = append(all, Document{Path: "[" + strconv.Itoa(len(all)) + "]", Raw: item})
		}
	}
}

// JoinStream makes a body of JSON values that follow one another, each on a line of its own
// where it has no line breaks.
func JoinStream(documents []Document) []byte {
	list := make([][]byte, 0, len(documents))
	for _, d := range documents {
		list = append(list, d.Raw)
	}
	return bytes.Join(list, []byte("\n"))
}
