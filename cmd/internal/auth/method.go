package auth

import "strings"

// Method is the method that is set: its name in stanch.yaml and what the sender gives. Both
// are empty where none is.
func (a Auth) Method() (name, gives string) {
	for _, m := range methods() {
		if m.set(a) {
			name, _, _ = strings.Cut(m.setting, ":")
			return strings.TrimSuffix(name, "_file"), m.doc
		}
	}
	return "", ""
}
