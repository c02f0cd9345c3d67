package mapping_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/mapping"
	"github.com/stanch-soar/stanch/playbooks"
)

// Every fault of a mapping is told with its place, all of them at once.
func TestFaultsOfAMapping(t *testing.T) {
	const rest = "id: doc.id\nours: 'true'\nhost: { name: doc.host }\n"
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{"ndr.yaml:1:1: the file is empty"}},
		{"category: doc.a\n", []string{"ndr.yaml:1:1: the file needs host", "ndr.yaml:1:1: the file needs id", "ndr.yaml:1:1: the file needs ours"}},
		{rest + "ours: 'false'\n", []string{"ndr.yaml:4:1: key \"ours\" stands twice; it was first on line 2"}},
		{rest + "widnow: doc.w\nhots: {}\n", []string{"ndr.yaml:4:1: unknown key \"widnow\" in the file: did you mean 'window'?", "ndr.yaml:5:1: unknown key \"hots\" in the file: did you mean 'host'?"}},
		{rest + "process: { pdi: doc.p }\n", []string{"ndr.yaml:4:12: unknown key \"pdi\" in process: did you mean 'pid'?"}},
		{"id: doc.id\nours: 'true'\nhost: { os: doc.os }\n", []string{"ndr.yaml:3:7: host needs one of id, name and ip: an alert is about a host"}},
		{rest + "bytes_out: doc.a > 1\ncount: duration('1s')\n", []string{"ndr.yaml:4:12: bytes_out is bool, it must be int or uint or double or string", "ndr.yaml:5:8: count is duration, it must be int or uint or double or string"}},
		{rest + "window: 900.5\ntime: 'true'\n", []string{"ndr.yaml:4:9: window is double, it must be duration or string or int", "ndr.yaml:5:8: time is bool, it must be timestamp or string or int or double"}},
		{rest + "severity: [doc.a, null == doc.b]\n", []string{"ndr.yaml:4:19: severity is bool, it must be string or int or double"}},
		{rest + "rule: []\n", []string{"ndr.yaml:4:7: rule is an empty list: it needs an expression"}},
		{rest + "rule: { a: b }\n", []string{"ndr.yaml:4:7: rule must be an expression, not a mapping"}},
		{"id: doc.id\nours: \"'yes'\"\nhost: { name: doc.host }\n", []string{"ndr.yaml:2:8: ours is string, it must be bool"}},
		{"id: doc.id\nours: doc.a\nhost: { name: \"'ws-1'\" }\n", []string{"ndr.yaml:3:16: host.name reads nothing of what was sent: it would be the same in every alert"}},
		{"id: \"'1'\"\nours: doc.a\nhost: { name: doc.host }\n", []string{"ndr.yaml:1:6: id reads nothing of what was sent: it would be the same in every alert"}},
		{rest + "rule: dco.a\ntime: strng(doc.a)\n", []string{"ndr.yaml:4:7: nothing is called 'dco': did you mean 'doc'?", "ndr.yaml:5:7: no function is called 'strng': did you mean 'string'?"}},
		{rest + "rule: alert.rule\n", []string{"ndr.yaml:4:7: 'alert' is a fact of a case: here is only doc and home"}},
		{rest + "rule: now\n", []string{"ndr.yaml:4:7: nothing is called 'now'"}},
		{rest + "rule: body.rule\n", []string{"ndr.yaml:4:7: nothing is called 'body'"}},
		{rest + "documents: doc.a\n", []string{"ndr.yaml:4:12: nothing is called 'doc'"}},
		{rest + "documents: \"'text'\"\n", []string{"ndr.yaml:4:13: documents is string, it must be list or map"}},
		{rest + "documents: '[1]'\n", []string{"ndr.yaml:4:13: documents reads nothing of what was sent: it would be the same in every alert"}},
		{rest + "rule: doc.?a.orValue('x')\n", []string{"ndr.yaml:4:10: nothing is optional here: what the document lacks is unknown, and known(x) asks for it"}},
		{rest + "rule: doc.a[?'b'].orValue('x')\n", []string{"ndr.yaml:4:12: nothing is optional here: what the document lacks is unknown, and known(x) asks for it"}},
		{rest + "rule: \"doc.a.matches(doc.b) ? 'a' : 'b'\"\n", []string{"ndr.yaml:4:21: the pattern must be written out: the sender must not choose it"}},
		{rest + "rule: regex.extract(doc.a, doc.b)\n", []string{"ndr.yaml:4:20: the pattern must be written out: the sender must not choose it"}},
		{rest + "rule: doc.a.replace('a', doc.b)\n", []string{"ndr.yaml:4:20: the replacement must be written out, with at most 100 characters: a text of the sender's could make one that no memory holds"}},
		{rest + "rule: doc.a.replace('a', 'b', 3)\nseverity: doc.a.replace('', '" + strings.Repeat("a", 101) + "')\n", []string{"ndr.yaml:5:24: the replacement must be written out, with at most 100 characters: a text of the sender's could make one that no memory holds"}},
		{rest + "rule: regex.replace(doc.a, 'a', doc.b)\n", []string{"ndr.yaml:4:20: the replacement must be written out, with at most 100 characters: a text of the sender's could make one that no memory holds"}},
		{rest + "rule: doc.a.map(x, doc.b).join()\n", []string{"ndr.yaml:4:31: join could make a text here that no memory holds: put texts together with +"}},
		{rest + "rule: \"'%s'.format([doc.a])\"\n", []string{"ndr.yaml:4:19: format could make a text here that no memory holds: put texts together with +"}},
		{rest + "rule: has(doc.a)\n", []string{"ndr.yaml:4:7: nothing is absent from a fact: ask 'known' whether a value is known"}},
		{rest + "rule: doc.a +\n", []string{"ndr.yaml:4:14: syntax error: mismatched input end of the expression"}},
		{rest + "rule: doc.a.matches('(')\n", []string{"ndr.yaml:4:21: the regular expression is none: missing closing ): `(`"}},
		{rest + "window: duration('5 min')\n", []string{"ndr.yaml:4:18: \"5 min\" is not a duration: write 90s, 15m or 4h"}},
		{rest + "starts_nothing: [{ when: doc.a }]\n", []string{"ndr.yaml:4:18: an entry of starts_nothing needs because"}},
		{rest + "starts_nothing: [{ when: doc.a, because: a, status: firing }]\n", []string{"ndr.yaml:4:53: status cannot be \"firing\": there are not_alerting, sample"}},
		{rest + "starts_nothing: [{ when: 7, because: a }]\n", []string{"ndr.yaml:4:26: starts_nothing[0].when is int, it must be bool"}},
		{rest + "rule: &a doc.a\n", []string{"ndr.yaml:4:7: anchors and aliases hide what a change touches; write the value out where it is used"}},
		{rest + "---\nid: doc.id\n", []string{"ndr.yaml:4:1: a second document starts here and is never read; a file holds one: remove the line --- or move what follows it to a file of its own"}},
	} {
		_, err := mapping.Alerts().Map("ndr.yaml", []byte(c.text))
		issues, _ := errors.AsType[playbooks.Issues](err)
		var got []string
		for _, i := range issues {
			got = append(got, i.String())
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s\ngot:  %s\nwant: %s", c.text, strings.Join(got, "\n      "), strings.Join(c.want, "\n      "))
		}
	}
}
