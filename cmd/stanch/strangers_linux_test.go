package main_test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	forged = flag.Int("forged", 50, "how many wrong requests of each class are sent")
	slow   = flag.Int("slow", 100, "how many connections send slowly at a time")
)

const hmacSecret = "hmacsecrethmacsecrethmacsecret00"

// doors is a site with a source for each way to prove oneself.
func doors(t *testing.T) *site {
	s := newSite(t)
	s.settings = func(slow string) string {
		return strings.Replace(configuration(slow), "\npeople:", fmt.Sprintf(`
  signed: { kind: stanch, max_body: 4MiB, auth: { hmac: { secret: %s } } }
  basic: { kind: stanch, auth: { basic: { user: siem, password: %s } } }
  url: { kind: stanch, auth: { url_token: %s, addresses: [127.0.0.1] } }
  open: { kind: stanch }
people:`, hmacSecret, sourceToken, sourceToken), 1)
	}
	return s
}

// ask sends a request with one header, and returns the status; 0 means no
// response.
func (s *site) ask(path, body, key, value string) int {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set(key, value)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func signature(at time.Time, secret, body string) string {
	return httpx.Signature(integrations.Secret(secret), at, []byte(body))
}

// right sends an alert in each way, all of which must be taken.
func (s *site) right() {
	s.t.Helper()
	body := alertOf("right", "ws-042")
	for _, r := range [][3]string{
		{"/v1/alerts/siem", "Authorization", "Bearer " + sourceToken},
		{"/v1/alerts/url?token=" + sourceToken, "", ""},
		{"/v1/alerts/signed", auth.SignatureHeader, signature(time.Now(), hmacSecret, body)},
		{"/v1/alerts/basic", "Authorization", basicPair("siem:" + sourceToken)},
	} {
		if status := s.ask(r[0], body, r[1], r[2]); status != http.StatusAccepted {
			s.t.Errorf("a right request to %s is answered %d", r[0], status)
		}
	}
}

func alertOf(id, host string) string {
	return fmt.Sprintf(`{"id":%q,"category":"none","host":{"id":%q,"name":%q,"os":"linux"}}`, id, host, host)
}

func basicPair(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// TestForgedRequestsAreRefused sends many wrong requests of each class to the
// service. None is accepted, all are counted, and the right ones between them
// are taken.
func TestForgedRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := doors(t)
	s.start("")
	body := alertOf("forged", "ws-017")
	now := time.Now()
	classes := map[string][3]string{
		"no credential":               {"/v1/alerts/siem", "", ""},
		"a wrong bearer token":        {"/v1/alerts/siem", "Authorization", "Bearer guess"},
		"a person's token":            {"/v1/alerts/siem", "Authorization", "Bearer " + tokenOf(alice)},
		"another way's credential":    {"/v1/alerts/basic", "Authorization", "Bearer " + sourceToken},
		"wrong basic credentials":     {"/v1/alerts/basic", "Authorization", basicPair("siem:guess")},
		"a wrong url token":           {"/v1/alerts/url?token=guess", "", ""},
		"a wrong signature":           {"/v1/alerts/signed", auth.SignatureHeader, signature(now, "another secret of 16", body)},
		"a signature of another body": {"/v1/alerts/signed", auth.SignatureHeader, signature(now, hmacSecret, body+" ")},
		"a signature of before":       {"/v1/alerts/signed", auth.SignatureHeader, signature(now.Add(-time.Hour), hmacSecret, body)},
		"a torn signature":            {"/v1/alerts/signed", auth.SignatureHeader, "t=1,v1="},
		"an unknown source":           {"/v1/alerts/nobody", "Authorization", "Bearer " + sourceToken},
		"a source without auth":       {"/v1/alerts/open", "Authorization", "Bearer " + sourceToken},
		"a wrong person's token":      {"/v1/pause", "Authorization", "Bearer guess"},
		"a source's token":            {"/v1/pause", "Authorization", "Bearer " + sourceToken},
	}
	statuses := map[int]int{}
	for name, c := range classes {
		for i := range *forged {
			status := s.ask(c[0], body, c[1], c[2])
			if statuses[status]++; status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
				t.Fatalf("%s, request %d: answered %d", name, i, status)
			}
			if i%(*forged/4+1) == 0 {
				s.right()
			}
		}
	}
	for id, want := range map[string]int{"unmatched/ws-042": http.StatusOK, "unmatched/ws-017": http.StatusNotFound} {
		var c incident.Case
		s.until(id, func() bool { return s.get("/v1/cases/"+id, &c) == want })
	}
	if got := s.counter("stanch_refused_total"); got != *forged*len(classes) {
		t.Errorf("%d wrong requests are counted, %d were sent", got, *forged*len(classes))
	}
	t.Logf("%d wrong requests of each of %d classes: 0 accepted, answers by status %v", *forged, len(classes), statuses)
	s.stop()
}

// counter is the sum of a counter over its labels.
func (s *site) counter(name string) (sum int) {
	s.t.Helper()
	for line := range strings.Lines(s.metrics()) {
		if strings.HasPrefix(line, name+"{") {
			n, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			if err != nil {
				s.t.Fatal(err)
			}
			sum += int(n)
		}
	}
	return sum
}

// resident is the memory of the service, in bytes.
func (s *site) resident() int {
	s.t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// TestSlowStrangersTakeLittle has many connections send large bodies to
// the service slowly, without a credential and with a forged signature. It says
// by how much the service grows; a sender with a credential is served.
func TestSlowStrangersTakeLittle(t *testing.T) {
	t.Parallel()
	// The body of each is 4 MiB: 300 of them would be more than a gigabyte. The
	// runtime gives memory back when it likes, so the bound is coarse.
	const bound = 1.5
	s := doors(t)
	s.start("")
	// Until the collector has run a few times the service takes less than it does
	// at rest.
	rest := 0
	for range 40 {
		s.right()
		rest = max(rest, s.resident())
	}
	part := make([]byte, api.MaxBody-1)
	for _, head := range []string{"", fmt.Sprintf("%s: t=%d,v1=%s\r\n", auth.SignatureHeader, time.Now().Unix(), strings.Repeat("0", 64))} {
		for i := range *slow {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			source := []string{"siem", "signed", "basic", "url", "open", "nobody"}[i%6]
			_, _ = fmt.Fprintf(conn, "POST /v1/alerts/%s HTTP/1.1\r\nHost: stanch\r\n%sContent-Length: %d\r\n\r\n", source, head, api.MaxBody)
			go func() {
				_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
				// It is refused before, or broken off.
				_, _ = conn.Write(part)
			}()
		}
		most := s.resident()
		for range 8 {
			s.until("a sender with a credential to be served", func() bool {
				body := alertOf("meanwhile", "ws-042")
				return s.ask("/v1/alerts/signed", body, auth.SignatureHeader, signature(time.Now(), hmacSecret, body)) == http.StatusAccepted
			})
			most = max(most, s.resident())
		}
		what := map[bool]string{true: "without a credential", false: "with a forged signature"}[head == ""]
		t.Logf("%s: %d connections, %d MiB at rest, at most %d MiB, %.2f times", what, *slow, rest>>20, most>>20, float64(most)/float64(rest))
		if float64(most) > bound*float64(rest) {
			t.Errorf("%s: %d MiB at rest grow to %d MiB", what, rest>>20, most>>20)
		}
	}
	s.stop()
}
