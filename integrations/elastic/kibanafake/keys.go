package kibanafake

import (
	"encoding/base64"
	"net/http"
	"slices"
)

// Key is an API key.
type Key struct {
	// Encoded is it as it is sent: the id, a colon and the secret, in base64.
	Encoded string
	// User is whose it is.
	User string
	// Privileges are those of Kibana, by their names, and ReadAlerts and WriteAlerts.
	Privileges []string
}

// The privileges that matter here.
const (
	Security   = "securitySolution"
	ReadNotes  = "notes_read"
	WriteNotes = "notes_write"
	// ReadAlerts and WriteAlerts are those of Elasticsearch on the index of alerts.
	ReadAlerts  = "read"
	WriteAlerts = "write"
)

// Administrator is a key that may do everything.
func Administrator() Key {
	return Key{
		Encoded: base64.StdEncoding.EncodeToString([]byte("Zq3VnJcBd1kXo0aTn5Wc:0hTqzE7yQ3m7mVtKpM4c2w")), User: "stanch",
		Privileges: []string{Security, ReadNotes, WriteNotes, ReadAlerts, WriteAlerts},
	}
}

// Without is the key without some privileges.
func (k Key) Without(privileges ...string) Key {
	k.Privileges = slices.DeleteFunc(slices.Clone(k.Privileges), func(p string) bool { return slices.Contains(privileges, p) })
	return k
}

func (k Key) may(privilege string) bool { return slices.Contains(k.Privileges, privilege) }

// authenticate returns whose request it is.
func (d *Double) authenticate(r *http.Request) (Key, *refusal) {
	at := slices.IndexFunc(d.o.Keys, func(k Key) bool { return r.Header.Get("Authorization") == "ApiKey "+k.Encoded })
	if at < 0 {
		const why = "unable to authenticate with provided credentials and anonymous access is not allowed for this request"
		refused := platformError(http.StatusUnauthorized, "[security_exception\n\tRoot causes:\n\t\tsecurity_exception: %s]: %s", why, why)
		refused.header = http.Header{"Www-Authenticate": {`Basic realm="security", charset="UTF-8"`, `ApiKey`}}
		return Key{}, refused
	}
	return d.o.Keys[at], nil
}
