package httpapi_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What is kept of a body holds no secret, wherever it is kept: in the case, as a rejected
// alert, as a recorded one. The digest beside it is that of the body as it came.
func TestNoSecretOfABodyIsKept(t *testing.T) {
	const secret = "S3cretOfTheBody"
	s := newSide(t, func(o *httpapi.Options) {
		splunk := source(t, sender{Name: "splunk", Kind: "splunk", Category: "note", Auth: auth.Auth{Bearer: siemToken}})
		splunk.Cut = []string{"badge"}
		o.Sources["splunk"] = splunk
	})
	h := host(t)
	post := func(body string) answer { return s.call("POST", "/v1/alerts/splunk", siemToken, body) }
	body := func(id, more string) string {
		return `{"sid":"` + id + `","result":{"host_id":"` + h + `","src":"10.9.9.9","src_host":"` + h + `","os":"windows","badge":"` + secret + `","cookie":"` + secret + `"` + more +
			`},"results_link":"https://splunk.example/app?token=` + secret + `&sid=1"}`
	}
	taken := body("kept-"+h, "")
	var got struct{ Cases []struct{ ID, Run string } }
	post(taken).is(http.StatusAccepted, &got)
	var c incident.Case
	eventually(t, "the case has its alert", func() bool {
		c = s.show(got.Cases[0].ID, got.Cases[0].Run)
		return len(c.Alerts) > 0
	})
	if raw := string(c.Alerts[0].Raw); strings.Contains(raw, secret) || strings.Count(raw, "[cut]") != 3 || !strings.Contains(raw, `\u0026sid=1`) {
		t.Errorf("the case keeps %s", raw)
	}
	if c.Alerts[0].BodyDigest != incident.DigestOf([]byte(taken)) {
		t.Errorf("the digest of the body is %s", c.Alerts[0].BodyDigest)
	}
	for name, wrong := range map[string]string{
		"no JSON": `{"password":"` + secret + `","note":"` + h + `"`, "no alert": `[{"token":"` + secret + `","note":"` + h + `"}]`, "alone": `Authorization: Bearer ` + secret + h,
	} {
		refused := post(wrong).refused(http.StatusUnprocessableEntity, "rejected")
		var kept protocol.RejectedAlert
		shown := s.call("GET", "/v1/rejected/"+refused.Rejected, aliceToken, nil).is(http.StatusOK, &kept)
		if bytes.Contains(kept.Body, []byte(secret)) || bytes.Contains(shown.body, []byte(secret)) || !bytes.Contains(kept.Body, []byte("[cut]")) {
			t.Errorf("%s: kept is %s", name, kept.Body)
		}
		if kept.BodyDigest != incident.DigestOf([]byte(wrong)) {
			t.Errorf("%s: the digest of the body is %s", name, kept.BodyDigest)
		}
	}
}
