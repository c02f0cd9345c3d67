package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The case of the test waits for on-call, whose denial needs a reason.
func TestAQuestionTakesNothingButAYes(t *testing.T) {
	c := casetest.Waiting(t)
	var pending incident.Approval
	for _, a := range c.Approvals {
		if a.State == incident.Pending {
			pending = a
		}
	}
	for _, tt := range []struct {
		approve               bool
		typed, reason, answer string
		wantPlan, wantReason  string
	}{
		{approve: true, typed: "y\n", wantPlan: pending.PlanDigest},
		{approve: true, typed: "YES\n", wantPlan: pending.PlanDigest},
		{approve: true, typed: "\n"},
		{approve: true, typed: ""},
		{approve: true, typed: "yep\n"},
		{approve: false, typed: "y\nseen on call\n", wantPlan: pending.PlanDigest, wantReason: "seen on call"},
		{approve: false, typed: "y\n", reason: "given", wantPlan: pending.PlanDigest, wantReason: "given"},
		{approve: false, typed: "n\n"},
	} {
		var out bytes.Buffer
		o := &caseDecideOptions{streams: streams{in: strings.NewReader(tt.typed), out: &out, err: &out}, approve: tt.approve}
		reason := tt.reason
		plan, err := o.question(c, pending, &reason)
		if plan != tt.wantPlan || (err == nil) != (tt.wantPlan != "") || tt.wantPlan != "" && reason != tt.wantReason {
			t.Errorf("%q after %t: plan %q, reason %q, %v", tt.typed, tt.approve, plan, reason, err)
		}
		if !strings.Contains(out.String(), pending.PlanDigest) || !strings.Contains(out.String(), o.word()+" "+pending.Name+" of case "+c.ID+"? [y/N] ") {
			t.Fatalf("the question is not shown:\n%s", out.String())
		}
	}
}
