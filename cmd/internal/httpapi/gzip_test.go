package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A compressed body is what it was before, whether its sender is known by the headers or
// signs it as it is sent; what unpacks to more than it may is refused, and other encodings are.
func TestCompressedBodies(t *testing.T) {
	s := newSide(t, everyWay(t))
	h := host(t)
	body := alert("packed", "note", h)
	packed := gzipped(t, body)
	encoded := func(name string) func(*http.Request) { return header("Content-Encoding", name) }
	var got api.Accepted
	s.call("POST", "/v1/alerts/siem", siemToken, packed, encoded("gzip")).is(http.StatusAccepted, &got)
	c := s.until(got.Cases[0], "the case has its alert", func(c incident.Case) bool { return len(c.Alerts) > 0 })
	if c.Alerts[0].ID != "packed" || c.Alerts[0].BodyDigest != incident.DigestOf([]byte(body)) {
		t.Errorf("taken is %s of %s", c.Alerts[0].ID, c.Alerts[0].BodyDigest)
	}
	for _, name := range []string{"GZIP", "x-gzip", " gzip"} {
		s.call("POST", "/v1/alerts/siem", siemToken, packed, encoded(name)).is(http.StatusAccepted, nil)
	}
	s.call("POST", "/v1/alerts/siem", siemToken, body, encoded("identity")).is(http.StatusAccepted, nil)
	s.call("POST", "/v1/alerts/signed", "", packed, encoded("gzip"), signedAt(time.Now(), hmacSecret, packed)).is(http.StatusAccepted, nil)
	// Signed is what was sent, not what it unpacks to.
	s.call("POST", "/v1/alerts/signed", "", packed, encoded("gzip"), signedAt(time.Now(), hmacSecret, body)).refused(http.StatusUnauthorized, "unauthorized")

	large := strings.Repeat(" ", api.MaxBody+1)
	twice := gzipped(t, packed)
	for name, r := range map[string]struct {
		source, body, encoding string
		status                 int
		kind                   string
	}{
		"another encoding":      {"siem", body, "br", http.StatusUnsupportedMediaType, "unsupported"},
		"two encodings":         {"siem", twice, "gzip, gzip", http.StatusUnsupportedMediaType, "unsupported"},
		"not packed":            {"siem", body, "gzip", http.StatusBadRequest, "invalid"},
		"broken off":            {"siem", packed[:len(packed)-9], "gzip", http.StatusBadRequest, "invalid"},
		"garbage behind":        {"siem", packed + "garbage", "gzip", http.StatusBadRequest, "invalid"},
		"packed inside":         {"siem", twice, "gzip", http.StatusUnprocessableEntity, "rejected"},
		"a bomb":                {"siem", gzipped(t, large), "gzip", http.StatusRequestEntityTooLarge, "too_large"},
		"a bomb of more room":   {"basic", gzipped(t, large), "gzip", http.StatusRequestEntityTooLarge, "too_large"},
		"more than its room":    {"siem", gzipped(t, noise(api.DefaultBody+1)), "gzip", http.StatusRequestEntityTooLarge, "too_large"},
		"packed, and too large": {"siem", noise(api.DefaultBody + 1), "gzip", http.StatusRequestEntityTooLarge, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			(&side{t, s.url}).call("POST", "/v1/alerts/"+r.source, "", r.body, encoded(r.encoding), func(req *http.Request) {
				req.Header.Set("Authorization", "Bearer "+siemToken)
				if r.source == "basic" {
					req.SetBasicAuth("siem", siemToken)
				}
			}).refused(r.status, r.kind)
		})
	}
	// To a stranger all encodings are one.
	for _, name := range []string{"gzip", "br"} {
		s.call("POST", "/v1/alerts/siem", "guess", packed, encoded(name)).refused(http.StatusUnauthorized, "unauthorized")
	}
	// Nor does the type that a sender gives its body matter.
	for _, name := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/xml; charset=utf-16"} {
		s.call("POST", "/v1/alerts/siem", siemToken, body, header("Content-Type", name)).is(http.StatusAccepted, nil)
	}
}

// noise is text that hardly gets smaller.
func noise(n int) string {
	var b strings.Builder
	for i := uint64(1); b.Len() < n; i++ {
		fmt.Fprintf(&b, "%x", i*0x9e3779b97f4a7c15)
	}
	return b.String()[:n]
}

// Each source has its own bound, which is the same however it authenticates.
func TestTheBoundOfASource(t *testing.T) {
	needsEngine(t)
	s := newSide(t, func(o *httpapi.Options) {
		for name, most := range map[string]int64{"small": 1 << 10, "usual": 0, "large": api.MaxBody} {
			for way, a := range map[string]auth.Auth{"token": {Bearer: siemToken}, "signed": {HMAC: &auth.HMAC{Secret: hmacSecret}}} {
				of := source(t, sender{Name: name + "-" + way, Kind: "stanch", Auth: a})
				of.MaxBody = most
				o.Sources[of.Name] = of
			}
		}
	})
	for name, most := range map[string]int{"small": 1 << 10, "usual": api.DefaultBody, "large": api.MaxBody} {
		for size, kind := range map[int]string{most: "rejected", most + 1: "too_large"} {
			body := strings.Repeat("x", size)
			status := map[string]int{"rejected": http.StatusUnprocessableEntity, "too_large": http.StatusRequestEntityTooLarge}[kind]
			s.call("POST", "/v1/alerts/"+name+"-token", siemToken, body).refused(status, kind)
			s.call("POST", "/v1/alerts/"+name+"-signed", "", body, signedAt(time.Now(), hmacSecret, body)).refused(status, kind)
		}
	}
}
