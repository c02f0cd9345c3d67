package main_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// noProxy blocks all traffic that would leave this machine.
func noProxy() []string {
	return []string{"HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1"}
}

// asksAll are playbooks that ask every flow store and write with every messenger.
func asksAll() map[string]string {
	files := map[string]string{}
	for category, use := range map[string][3]string{
		"one": {"tables", "house", "desk"}, "two": {"words", "search", "chat"}, "three": {"pairs", "lookup", "pager"},
	} {
		files["playbooks/"+category+".yaml"] = fmt.Sprintf(`apiVersion: stanch/v1
kind: Playbook
name: %[1]s
owner: secops
mode: enforce
description: It asks who refuses, and writes to who does not listen.
trigger: { match: alert.category == '%[1]s', subject: alert.host.id }
enrich:
  endpoint: { use: edr, timeout: 5s, required: true }
  traffic: { use: %[2]s, timeout: 3s, with: { window: 15m, top: 20 } }
  baseline: { use: %[3]s, timeout: 3s, with: { days: 14 } }
unsure: on-call
decide:
  - { rule: much, when: traffic.bytes_out > baseline.p99, severity: high, because: Much., do: [tell] }
  - { rule: otherwise, severity: high, because: The test says so., do: [tell] }
steps:
  tell: { action: notify, use: %[4]s, with: { channel: secops }, timeout: 10s, on_failure: continue }
approvals:
  on-call: { ask: { slack: '#oncall' }, approvers: { people: [alice] }, expire_after: 15m }
`, category, use[0], use[1], use[2])
	}
	return files
}

// stranger sends requests and watches every answer.
type stranger struct {
	*site
	t       *testing.T
	secrets canaries
	answers map[int]int
}

// send sends a request to the service and checks the response for secrets.
func (s *stranger) send(method, path, body string, headers ...string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := httputil.DumpResponse(res, true)
	if err != nil {
		s.t.Fatal(err)
	}
	s.answers[res.StatusCode]++
	s.secrets.watch(s.t, fmt.Sprintf("the answer %d to %s %.60q", res.StatusCode, method, path), answer)
	return res.StatusCode
}

// raw sends what no client would and watches all that comes back.
func (s *stranger) raw(text string) {
	s.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, text)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return // It hung up, and told nothing.
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := httputil.DumpResponse(res, true)
	if err == nil {
		s.secrets.watch(s.t, "the answer to an invalid request", answer)
	}
}

// credentials are ways to show a secret, as a path's query and headers.
func credentials(secret string) [][]string {
	pair := base64.StdEncoding.EncodeToString([]byte("siem:" + secret))
	return [][]string{
		{"", "Authorization", "Bearer " + secret},
		{"", "Authorization", "bearer  " + secret + " "},
		{"", "Authorization", secret},
		{"", "Authorization", "Bearer " + secret + secret},
		{"", "Authorization", "Basic " + pair},
		{"", "Authorization", "Basic " + secret},
		{"?token=" + url.QueryEscape(secret)},
		{"?token=" + url.QueryEscape(secret) + "&x=%ff"},
		{"?x=%00&token=" + url.QueryEscape(secret)},
		{"?" + url.QueryEscape(secret)},
		{"", auth.SignatureHeader, "t=1,v1=" + secret},
		{"", auth.SignatureHeader, secret},
		{"", "X-Api-Key", secret},
		{"", "X-Cs-Primary-Signature", secret, "X-Cs-Delivery-Timestamp", time.Now().UTC().Format(time.RFC3339)},
		{"", "X-Forwarded-For", secret, "Authorization", "Bearer " + secret},
		{"", "X-Slack-Signature", "v0=" + secret, "X-Slack-Request-Timestamp", "1"},
		{"", "Cookie", "token=" + secret},
	}
}

// attack sends right and wrong requests with every secret to every route.
func (s *stranger) attack() {
	bodies := []string{
		`{"id":"a-1","category":"one","host":{"id":"ws-042","name":"ws-042","ip":["10.20.4.42"],"os":"windows"}}`,
		`{`, ``, `[]`, "{\"id\":\"\xff\xfe\",\"category\":\"two\",\"host\":{\"id\":\"ws-042\"}}", `{"hots":1}`, "payload=%7B", "payload=%ff",
		strings.Repeat("x", 70_000),
	}
	routes := []string{
		"POST /v1/alerts/plain", "POST /v1/alerts/filed", "POST /v1/alerts/hashed", "POST /v1/alerts/basic", "POST /v1/alerts/linked", "POST /v1/alerts/keyed", "POST /v1/alerts/falcon", "POST /v1/alerts/nobody",
		"GET /v1/alerts/linked", "POST /v1/alerts/%ff", "POST //v1/alerts/linked", "POST /v1/alerts/linked/", "POST /v1/./alerts/linked", "POST /v1/alerts/../alerts/linked",
		"POST /v1/interactions/signed", "POST /v1/interactions/chat", "GET /v1/cases", "GET /v1/cases/%00/x", "GET /v1/cases/one/ws-042", "POST /v1/cases/one/ws-042/decide",
		"POST /v1/cases/one/ws-042/close", "GET /v1/leases", "POST /v1/leases/extend", "POST /v1/leases/release", "POST /v1/release", "GET /v1/budget",
		"POST /v1/pause", "POST /v1/resume", "GET /v1/rejected", "GET /v1/rejected/plain/0", "POST /v1/rejected/plain/0/retry", "DELETE /v1/cases", "GET /nowhere", "GET /metrics",
		"GET /healthz", "GET /readyz", "GET /debug/pprof/", "OPTIONS /v1/cases", "PUT /v1/pause",
	}
	sent := 0
	for _, secret := range s.secrets {
		for _, shown := range credentials(secret) {
			for range 3 {
				// Each way meets other routes and bodies each time, and all of them in
				// the end.
				method, path, _ := strings.Cut(routes[sent%len(routes)], " ")
				s.send(method, path+shown[0], bodies[sent/len(routes)%len(bodies)], shown[1:]...)
				sent++
			}
		}
		s.raw("GET /v1/cases HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + secret + "\r\nBad Header: " + secret + "\r\n\r\n")
		s.raw("GET /v1/cases?token=" + url.QueryEscape(secret) + " HTTP/9.9\r\n\r\n")
		s.raw("POST /v1/alerts/linked?token=" + secret + " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nTransfer-Encoding: " + secret + "\r\n\r\n")
	}
}

// right sends what each sender and each person may, and wants it to be taken.
func (s *stranger) right() {
	s.t.Helper()
	host := `"host":{"id":"ws-042","name":"ws-042","ip":["10.20.4.42"],"os":"windows"}`
	stanch := func(id, category string) string { return fmt.Sprintf(`{"id":%q,"category":%q,%s}`, id, category, host) }
	splunk := `{"sid":"s-1","result":{"src":"10.20.4.42","src_host":"ws-042","os":"windows"}}`
	elastic := `{"kibana.alert.uuid":"e-1","host":{"name":"ws-042","ip":["10.20.4.42"],"os":{"type":"windows"}},"http.request.headers.authorization":"Bearer ` + s.secrets["a body"] +
		`","message":"{\"session_token\":\"` + s.secrets["a body"] + `\"}","url":"https://siem.example/x?token=` + url.QueryEscape(s.secrets["a body"]) + `"}`
	for what, status := range map[string]int{
		"bearer":        s.send("POST", "/v1/alerts/plain", stanch("r-1", "one"), "Authorization", "Bearer "+s.secrets["a bearer"]),
		"file":          s.send("POST", "/v1/alerts/filed", stanch("r-2", "two"), "Authorization", "Bearer "+s.secrets["a file"]),
		"url":           s.send("POST", "/v1/alerts/linked?token="+url.QueryEscape(s.secrets["a url"]), stanch("r-3", "three")),
		"url before":    s.send("POST", "/v1/alerts/linked?token="+url.QueryEscape(s.secrets["the url before"]), stanch("r-4", "three")),
		"header":        s.send("POST", "/v1/alerts/keyed", stanch("r-5", "three"), "X-Api-Key", s.secrets["a header"]),
		"header before": s.send("POST", "/v1/alerts/keyed", stanch("r-6", "three"), "X-Api-Key", s.secrets["the header before"]),
		"basic": s.send("POST", "/v1/alerts/basic", elastic, "Authorization",
			"Basic "+base64.StdEncoding.EncodeToString([]byte("siem:"+s.secrets["basic"]))),
		"hmac": s.send("POST", "/v1/alerts/hashed", splunk, auth.SignatureHeader,
			httpx.Signature(integrations.Secret(s.secrets["a signature"]), time.Now(), []byte(splunk))),
	} {
		if status != http.StatusAccepted {
			s.t.Errorf("a right request by %s is answered %d", what, status)
		}
	}
}

// wrong sends invalid requests with valid credentials.
func (s *stranger) wrong() {
	for _, body := range []string{`{`, ``, `[]`, "{\"id\":\"\xff\"}", `{"hots":1}`, `{"alerts":[{"id":"w-1"},7]}`} {
		s.send("POST", "/v1/alerts/plain", body, "Authorization", "Bearer "+s.secrets["a bearer"])
		s.send("POST", "/v1/alerts/linked?token="+url.QueryEscape(s.secrets["a url"]), body)
		s.send("POST", "/v1/alerts/hashed", body, auth.SignatureHeader, httpx.Signature(integrations.Secret(s.secrets["a signature"]), time.Now(), []byte(body)))
		for _, path := range []string{"/v1/pause", "/v1/release", "/v1/cases/one/ws-042/decide", "/v1/rejected/plain/0/retry"} {
			s.send("POST", path, body, "Authorization", "Bearer "+s.secrets[alice])
			s.send("POST", path, body, "Authorization", "Bearer "+s.secrets["eve"])
		}
	}
}

// look reads a case as a person does.
func (s *stranger) look(id string) (c incident.Case) {
	s.do(http.MethodGet, "/v1/cases/"+id, s.secrets[alice], nil, &c)
	s.site.last = c
	return c
}

// TestNoSecretIsTold plants a secret in every place of the configuration that is
// for one, lets products refuse them and strangers guess, and looks for them in
// all that is said: log, answers, metrics, evidence, and the engine's own files.
func TestNoSecretIsTold(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(*testing.T) products{
		"refused": refusing, "unreachable": func(*testing.T) products { return nowhere() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stranger{newSite(t), t, canaries{}, map[int]int{}}
			for name, text := range asksAll() {
				s.write(name, text)
			}
			to := where(t)
			to.paged = true
			text := s.secrets.secretive(s.site, to)
			s.settings = func(string) string { return text }
			s.args, s.env = []string{"--log-level", "debug"}, noProxy()
			s.start("")
			s.right()
			s.wrong()
			s.attack()
			for _, id := range []string{"one/ws-042", "two/ws-042", "three/ws-042"} {
				s.until(id+" to be decided", func() bool { return saw(s.look(id), incident.EvDecided, "") })
			}
			s.until("a message to have failed", func() bool { return saw(s.look("one/ws-042"), incident.EvNotShown, "") })
			for _, id := range []string{"/one/ws-042", "/two/ws-042", "/three/ws-042", "", "?status=all"} {
				s.send("GET", "/v1/cases"+id, "", "Authorization", "Bearer "+s.secrets[alice])
			}
			s.send("GET", "/v1/rejected", "", "Authorization", "Bearer "+s.secrets[alice])
			s.send("GET", "/metrics", "")
			for _, status := range []int{200, 202, 400, 401, 403, 404, 405, 422, 429} {
				if s.answers[status] == 0 {
					t.Errorf("no request was answered %d: %v", status, s.answers)
				}
			}
			s.stop()
			log, err := os.ReadFile(s.logFile())
			if err != nil || len(log) < 10_000 {
				t.Fatalf("the log has %d bytes: %v", len(log), err)
			}
			s.secrets.watch(t, "the log", log)
			if n := s.secrets.watchFiles(t, s.path("data")); n < 2 {
				t.Errorf("the service left %d files", n)
			}
			t.Logf("%d secrets, answers by status %v, a log of %d bytes", len(s.secrets), s.answers, len(log))
		})
	}
}

// TestDoctorTellsNoSecret runs the commands that read or print a configuration
// over products that refuse or are not there.
func TestDoctorTellsNoSecret(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]products{"refused": refusing(t), "unreachable": nowhere()} {
		s, secrets := newSite(t), canaries{}
		for name, text := range asksAll() {
			s.write(name, text)
		}
		keys := secrets.plant("an encryption key")[:32]
		text := secrets.secretive(s, where) + "temporal: { encryption_keys: 'k1:" + base64.StdEncoding.EncodeToString([]byte(keys)) + "' }\n"
		s.write("stanch.yaml", text)
		for _, args := range [][]string{
			{"doctor", "--config", "stanch.yaml"},
			{"doctor", "--config", "stanch.yaml", "--output", "json"},
			{"doctor", "--config", "stanch.yaml", "--live"},
			{"playbook", "lint", "playbooks/one.yaml", "--config", "stanch.yaml"},
			{"docs", "--dir", "docs"},
			{"playbook", "schema"},
			{"flows", "hunt", "--config", "stanch.yaml", "--use", "tables"},
			{"flows", "hunt", "--config", "stanch.yaml", "--use", "house"},
			{"flows", "hunt", "--config", "stanch.yaml", "--use", "search"},
			{"flows", "hunt", "--config", "stanch.yaml", "--use", "pairs"},
			{"serve", "--config", "stanch.yaml", "--temporal", "127.0.0.1:1"},
			{"serve", "--config", "stanch.yaml", "--listen", "nowhere"},
		} {
			out := secrets.command(t, s.dir, noProxy(), args...)
			if out == "" {
				t.Errorf("%s: stanch %s says nothing", name, strings.Join(args, " "))
			}
			if args[0] != "doctor" || args[len(args)-1] == "json" {
				continue
			}
			for _, use := range []string{"house", "tables", "words", "pairs", "search", "lookup", "chat", "signed", "pager"} {
				if !regexp.MustCompile(`(?m)^FAILS +integration ` + use + ` `).MatchString(out) {
					t.Errorf("%s: doctor does not say that %s fails:\n%s", name, use, out)
				}
			}
		}
		secrets.watchFiles(t, s.path("docs"))
	}
}
