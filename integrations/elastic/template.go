package elastic

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// rightTemplate tells people what to write into Kibana's connector.
const rightTemplate = `set the body of the connector in Kibana to {"alerts":{{{context.alerts.asJSON}}}}`

func isText(data json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte(`"`)) }

// alertText reads alerts that a template wrote into a text: JSON values with commas between
// them, and no brackets around.
func alertText(path string, data json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return nil, alerts.Wrong(path, "is no text")
	}
	list := withoutLastCommas([]byte("[" + strings.TrimSpace(text) + "]"))
	if alerts.IsList([]byte(text)) {
		list = withoutLastCommas([]byte(text))
	}
	if values, bad := alerts.Stream([]byte(text)); !json.Valid(list) && bad == nil && len(values) > 1 {
		for i := range values {
			values[i].Path = path + values[i].Path
		}
		return values, nil
	}
	if !json.Valid(list) {
		return nil, alerts.Wrong(path, "is a text that holds no alerts; %s", rightTemplate)
	}
	return alerts.List(path, list, "")
}

// withoutLastCommas leaves out the comma behind the last element of a list or an object, which a
// section of a template writes behind each. A body without any is returned unchanged.
func withoutLastCommas(body []byte) []byte {
	out := make([]byte, 0, len(body))
	quoted := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case quoted && c == '\\' && i+1 < len(body):
			out = append(out, c)
			i++
			c = body[i]
		case c == '"':
			quoted = !quoted
		case !quoted && c == ',':
			if rest := bytes.TrimLeft(body[i+1:], " \t\r\n"); len(rest) > 0 && (rest[0] == ']' || rest[0] == '}') {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}
