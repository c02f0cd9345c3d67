package memory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestReplier(t *testing.T) {
	contract.Replier(t, contract.ReplierHarness{Knobs: knobs(), Open: func(t testing.TB) contract.ReplierWorld {
		e := open(t, memory.Options{Path: t.TempDir() + "/estate.jsonl"})
		gone := incident.AlertRecord{Source: "siem", ID: "gone"}
		e.LoseRecord(gone)
		byHand := map[string]bool{}
		of := func(r incident.AlertRecord) (all []memory.Replied) {
			return slices.DeleteFunc(e.Replies(), func(s memory.Replied) bool { return s.Reply.To != r })
		}
		return contract.ReplierWorld{
			Replier: e, Record: incident.AlertRecord{Source: "siem", ID: "a-1"}, Other: incident.AlertRecord{Source: "siem", ID: "a-11"}, Unknown: gone,
			Comments: func(r incident.AlertRecord) (texts []string) {
				for _, s := range of(r) {
					texts = append(texts, strings.Join(append(s.Reply.Lines(), s.Reply.Mark()), "\n"))
				}
				return texts
			},
			Closed: func(r incident.AlertRecord) bool {
				return byHand[r.ID] || slices.ContainsFunc(of(r), func(s memory.Replied) bool { return s.Reply.Close })
			},
			CloseByHand: func(r incident.AlertRecord) { byHand[r.ID] = true },
			Break:       breaker(e, "reply"),
		}
	}})
}
