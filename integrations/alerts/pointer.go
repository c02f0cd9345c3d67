package alerts

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// pointerAlone finds the field of a document that stood somewhere in a request, in a body
// that holds the document alone.
func (s Spec) pointerAlone(alone []byte, stood, path string) string {
	documents, bad := s.Split(clean(alone))
	if bad != nil || len(documents) != 1 {
		return ""
	}
	return Pointer(alone, Join(documents[0].Path, strings.TrimPrefix(strings.TrimPrefix(path, stood), ".")))
}

// maxPath bounds the paths that are looked for: names of fields are the sender's.
const maxPath = 1 << 10

// Pointer finds a field that a [FieldError] names in its body, as RFC 6901 writes it. The
// body decides what a dot is: the name of a field may hold some. What the body lacks is
// below the last that it has. It is empty for the body as a whole, and for a body that is
// not JSON.
func Pointer(body []byte, path string) string {
	var at any
	if path == "" || len(path) > maxPath || json.Unmarshal(clean(body), &at) != nil {
		return ""
	}
	var b strings.Builder
	for rest := path; rest != ""; {
		var token string
		token, rest = nextToken(at, rest)
		if strings.HasSuffix(token, "…") {
			break // It was cut: the rest of the name is not known.
		}
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token))
		at = child(at, token)
	}
	return b.String()
}

var index = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\[(\d+)\]\.?`) })

// nextToken takes the next step of a path from a value: the longest name that the object has,
// else up to the next dot or bracket.
func nextToken(at any, path string) (token, rest string) {
	if m := index().FindStringSubmatch(path); m != nil {
		return m[1], path[len(m[0]):]
	}
	if quoted, err := strconv.QuotedPrefix(path); err == nil {
		// It was quoted by [Quote].
		token, _ = strconv.Unquote(quoted)
		return token, strings.TrimPrefix(path[len(quoted):], ".")
	}
	object, _ := at.(map[string]any)
	for _, end := range slices.Backward(ends(path)) {
		if _, ok := object[path[:end]]; ok {
			return path[:end], strings.TrimPrefix(path[end:], ".")
		}
	}
	end := ends(path)[0]
	return path[:end], strings.TrimPrefix(path[end:], ".")
}

// ends are the places at which a name may end, in their order.
func ends(path string) []int {
	var found []int
	for i, r := range path {
		if i > 0 && (r == '.' || r == '[') {
			found = append(found, i)
		}
	}
	return append(found, len(path))
}

// child is the value one step below; nil where there is none.
func child(at any, token string) any {
	switch at := at.(type) {
	case map[string]any:
		return at[token]
	case []any:
		if i, err := strconv.Atoi(token); err == nil && i < len(at) {
			return at[i]
		}
	}
	return nil
}
