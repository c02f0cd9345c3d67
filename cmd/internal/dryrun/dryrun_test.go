package dryrun_test

import (
	"testing"
)

const (
	allFile  = "integrations/all/all.go"
	specs    = "./integrations/all"
	acme     = "integrations/acme/acme.go"
	acmeTest = "integrations/acme/acme_test.go"
)

// register adds the one line, and its import, that registers a vendor.
func (s *scratch) register(t *testing.T) {
	t.Helper()
	s.edit(t, allFile, "\t\tclickhouse.Vendor(),\n", "\t\tacme.Vendor(),\n\t\tclickhouse.Vendor(),\n")
	s.edit(t, allFile, "\t\"github.com/stanch-soar/stanch/integrations/clickhouse\"\n",
		"\t\"github.com/stanch-soar/stanch/integrations/acme\"\n\t\"github.com/stanch-soar/stanch/integrations/clickhouse\"\n")
}

// addVendor registers the folder integrations/acme, which must be all that it takes.
func (s *scratch) addVendor(t *testing.T) {
	t.Helper()
	s.register(t)
	s.passes(t, "test", specs, "./integrations/acme")
	s.touched(t, allFile)
}

func TestDryRuns(t *testing.T) {
	s := newScratch(t)
	for _, run := range []struct {
		name string
		run  func(t *testing.T, s *scratch)
	}{
		{"an EDR", addEDR},
		{"an alert source", addAlertSource},
		{"a messenger", addMessenger},
		{"a fact", addFact},
		{"an action", addAction},
	} {
		t.Run(run.name, func(t *testing.T) {
			defer s.restore(t)
			run.run(t, s)
		})
	}
}

func addEDR(t *testing.T, s *scratch) {
	s.add(t, "edr.txtar")
	s.addVendor(t)

	s.edit(t, acme, "// Undo implements", "// undo does not implement")
	s.edit(t, acme, ") Undo(", ") undo(")
	s.write(t, acmeTest, []byte("package acme\n"))
	s.fails(t, "integrations/acme: kind acme claims the action isolate, but *acme.EDR does not implement integrations.Enforcer", "test", specs)

	s.add(t, "edr.txtar")
	s.edit(t, acme, "[]incident.Action{incident.Isolate}", "[]incident.Action{incident.Isolate}, Facts: []string{incident.ProcessFact}")
	s.fails(t, "integrations/acme: kind acme claims the fact process, but *acme.EDR does not implement integrations.Connections", "test", specs)

	s.add(t, "edr.txtar")
	s.write(t, acmeTest, []byte("package acme\n"))
	s.fails(t, "contract.Enforcer", "test", specs)
}

func addAlertSource(t *testing.T, s *scratch) {
	s.add(t, "alert_source.txtar")
	s.write(t, "integrations/acme/testdata/case.txtar", []byte("Synthetic: no time.\n-- source --\nacme\n"+
		"-- body.json --\n[{\"id\": \"7\", \"host\": \"ws-042\"}]\n-- want --\nhost.name = ws-042 (alert)\n"))
	s.addVendor(t)

	s.write(t, "integrations/acme/alerts_test.go", []byte("package acme\n"))
	s.fails(t, "contract.Alerts", "test", specs)
	s.add(t, "alert_source.txtar")
	s.edit(t, "integrations/acme/alerts.go", `r.Instant("at")`, `r.Instant("moment")`)
	s.fails(t, "want a firing alert with an id, a time and a host, in doubt only where all are", "test", "./integrations/acme")
}

func addMessenger(t *testing.T, s *scratch) {
	s.add(t, "messenger.txtar")
	s.addVendor(t)

	s.edit(t, acme, "_, again := c.posted[m.Key]; !again", "true")
	s.edit(t, acme, "c.posted[m.Key] = m", "c.posted[m.Key+time.Now().String()] = m")
	s.fails(t, "the_same_key_is_sent_once", "test", "./integrations/acme")
}

const (
	factsFile     = "playbooks/incident/facts.go"
	factSpecsFile = "playbooks/incident/factspecs.go"
	actionsFile   = "playbooks/incident/actions.go"
)

func addFact(t *testing.T, s *scratch) {
	s.edit(t, factsFile, "\tAsset     Asset    `json:\"asset\"`\n",
		"\tAsset     Asset    `json:\"asset\"`\n\tThreat struct {\n\t\tScore Value[int64] `json:\"score\" doc:\"How bad the destination is, 0 to 100.\"`\n\t} `json:\"threat,omitzero\"`\n")
	s.fails(t, "fact threat: incident.Facts has a field for it, and it is not registered", "test", "./playbooks/incident")

	s.edit(t, factSpecsFile, "Name: AssetFact, Doc:", "Name: \"threat\", Doc: \"What is known of the destination.\", By: \"threats\", Needs: NeedsAddress,\n\t\t\tTold: func(f *Facts) []string { return []string{\"threat score \" + f.Threat.Score.String()} },\n\t\t},\n\t\t{\n\t\t\tName: AssetFact, Doc:")
	s.edit(t, factSpecsFile, "TrafficFact, BaselineFact, AssetFact}", "TrafficFact, BaselineFact, AssetFact, \"threat\"}")
	s.passes(t, "test", "./playbooks/incident")
	s.fails(t, "fact threat: no activity of that name fetches it (activities/enrich.go, fetches)", "test", "-run", "Fetched", "./activities")
	s.fails(t, "threat", "test", specs)
	s.touched(t, factsFile, factSpecsFile)
}

func addAction(t *testing.T, s *scratch) {
	s.edit(t, "playbooks/incident/action.go", "\tIsolate     Action = \"isolate\"\n", "\tIsolate     Action = \"isolate\"\n\tDisableUser Action = \"disable_user\"\n")
	registered := `			Action: DisableUser, Doc: "Disables the user's account.", By: "directory", Undone: givenBack,
			Does: func(_ PlannedStep, host string) string { return "disable the user of " + host },
		},
		{
			Action: Isolate, Doc:`
	s.edit(t, actionsFile, "\t\t\tAction: Isolate, Doc:", registered)
	s.fails(t, "action disable_user: By names nobody who carries it out", "test", "./playbooks/incident")
	s.fails(t, "action disable_user: no activity carries it out", "test", "-run", "CarriedOut", "./activities")

	s.edit(t, actionsFile, `By: "directory", Undone`, `By: ByEnforcer, Undone`)
	s.passes(t, "test", "./playbooks/incident")
	s.passes(t, "test", "-run", "CarriedOut", "./activities")
	s.touched(t, "playbooks/incident/action.go", actionsFile)
}
