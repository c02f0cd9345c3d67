package playbooks

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// credential matches secrets that can be recognised in any text: the
// tokens of Slack and of Stanch's people, Slack's incoming webhooks, keys in PEM
// form, an address that holds a password, and connection strings.
var credential = regexp.MustCompile(`\bxox[a-z]+[-.]|\bxapp-|\bstanch_[A-Za-z0-9_-]{43}|//hooks\.slack\.com/services/|-----BEGIN|` +
	`(?i:[/\s]|^)[^/\s:@]*:[^/\s@]+@|(?i:[?&\s;]|^)(?i:password|passwd|pwd|token|secret|api_?key|access_?key|signature|sig)=`)

// maybeCredential matches text that may be a secret and must not be quoted:
// addresses with a password that is not escaped, and long runs of letters and
// digits. A run without a digit is a name.
var maybeCredential = regexp.MustCompile(`//.*:.*@|[A-Za-z0-9_+/-]{20,}`)

// mayBeSecret reports whether a text may hold a secret, so that it must not be
// quoted.
func mayBeSecret(text string) bool {
	if credential.MatchString(text) {
		return true
	}
	return slices.ContainsFunc(maybeCredential.FindAllString(text, -1), func(run string) bool { return strings.ContainsAny(run, "0123456789") })
}

// misplacedSecret reports a credential in a setting that is not for secrets: such
// settings are shown in logs, in replies and on cards.
func (d *document) misplacedSecret(n *yaml.Node, text string, f field) bool {
	if d.twin == nil || f.private || f.typ == d.twin || !credential.MatchString(text) {
		return false
	}
	d.blame(n, "%s holds what looks like a secret, and people are shown it: write it to a setting for secrets, or to the file of one", f.name)
	return true
}
