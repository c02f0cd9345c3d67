package httpapi_test

import (
	"encoding/json"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The API gives every value of the facts with its source, or why it is
// unknown; no number is given without either.
func TestEveryValueOfACaseSaysWhereItIsFrom(t *testing.T) {
	s := newSide(t)
	ref := s.send(alert("a", "ask", host(t))).Cases[0]
	s.until(ref, "the case asks", func(c incident.Case) bool { return c.Status == incident.Awaiting })
	var c struct {
		Facts map[string]map[string]json.RawMessage `json:"facts"`
	}
	s.call("GET", "/v1/cases/"+ref.ID, aliceToken, nil).is(200, &c)
	known, unknown := 0, 0
	var walk func(path string, fields map[string]json.RawMessage)
	walk = func(path string, fields map[string]json.RawMessage) {
		for name, data := range fields {
			var value map[string]json.RawMessage
			if json.Unmarshal(data, &value) != nil {
				if path != "alert" {
					t.Errorf("%s.%s is %s, without where it is from", path, name, data)
				}
				continue
			}
			_, hasValue := value["value"]
			_, hasWhy := value["unknown"]
			switch {
			case hasValue && string(value["from"]) != `""` && value["from"] != nil && !hasWhy:
				known++
			case hasWhy && !hasValue:
				unknown++
			case path == "alert" && (name == "host" || name == "process" || name == "destination"):
				walk(path+"."+name, value)
			case path != "alert" || name != "raw":
				t.Errorf("%s.%s is %s", path, name, data)
			}
		}
	}
	for fact, fields := range c.Facts {
		walk(fact, fields)
	}
	if known < 5 || unknown < 20 || len(c.Facts) != 1+len(incident.FactNames()) {
		t.Errorf("%d facts with %d known and %d unknown values", len(c.Facts), known, unknown)
	}
}
