package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// alertmanager is a real Alertmanager that posts to a site.
type alertmanager struct {
	site *site
	url  string
}

// notified starts an Alertmanager whose webhook receiver posts to a source of the site; the
// settings are its http_config.
func (s *site) notified(source, settings string) *alertmanager {
	s.t.Helper()
	s.write("alertmanager.yml", fmt.Sprintf(`route: { receiver: stanch, group_by: [alertname, src_host], group_wait: 0s, group_interval: 1s, repeat_interval: 1s }
receivers:
  - name: stanch
    webhook_configs: [{ url: '%s/v1/alerts/%s', send_resolved: true, max_alerts: 0, http_config: %s }]
`, s.url, source, settings))
	port, err := servertest.FreePort()
	if err != nil {
		s.t.Fatal(err)
	}
	log, err := os.Create(s.path("alertmanager.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	m := &alertmanager{s, fmt.Sprintf("http://127.0.0.1:%d", port)}
	cmd := exec.Command("prometheus-alertmanager", "--config.file="+s.path("alertmanager.yml"), "--storage.path="+s.path("alertmanager"),
		"--web.listen-address="+strings.TrimPrefix(m.url, "http://"), "--cluster.listen-address=")
	cmd.Stdout, cmd.Stderr = log, log
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if s.t.Failed() {
			s.t.Logf("Alertmanager said: %.4000s", read(s.t, s.path("alertmanager.log")))
		}
	})
	s.until("Alertmanager to be ready", func() bool {
		res, err := s.client.Get(m.url + "/-/ready")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return m
}

// raise tells Alertmanager of an alert, as Prometheus does: it began then, and is over at ends
// unless that is zero.
func (m *alertmanager) raise(bytesOut string, began, ends time.Time) {
	m.site.t.Helper()
	one := map[string]any{
		"labels":      map[string]string{"alertname": "HighEgress", "severity": "critical", "src_host": "ws-042", "src_ip": "10.20.4.42"},
		"annotations": map[string]string{"bytes_out": bytesOut, "window": "15m"},
		"startsAt":    began,
	}
	if !ends.IsZero() {
		one["endsAt"] = ends
	}
	data, err := json.Marshal([]any{one})
	if err != nil {
		m.site.t.Fatal(err)
	}
	res, err := m.site.client.Post(m.url+"/api/v2/alerts", "application/json", bytes.NewReader(data))
	if err != nil {
		m.site.t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		m.site.t.Fatalf("Alertmanager answers an alert %d", res.StatusCode)
	}
}

// TestAlertmanagerEndToEnd has a real Alertmanager send to the built binary: an alert that
// fires, is sent again and again, is changed, is over, and fires once more.
func TestAlertmanagerEndToEnd(t *testing.T) {
	if _, err := exec.LookPath("prometheus-alertmanager"); err != nil {
		t.Skip("SKIPPED: Alertmanager is not installed")
	}
	t.Parallel()
	for name, auth := range map[string][2]string{
		"bearer": {"bearer: " + sourceToken, "{ authorization: { type: Bearer, credentials: " + sourceToken + " } }"},
		"basic":  {"basic: { user: am, password: " + sourceToken + " }", "{ basic_auth: { username: am, password: " + sourceToken + " } }"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.settings = func(slow string) string {
				return strings.Replace(configuration(slow), "sources:\n", "sources:\n  am: { kind: alertmanager, auth: { "+auth[0]+" }, category: high_egress, os: windows }\n", 1)
			}
			s.start("")
			m := s.notified("am", auth[1])
			m.firesAgainAndAgain()
		})
	}
}

func (m *alertmanager) firesAgainAndAgain() {
	s := m.site
	s.t.Helper()
	// Alertmanager joins what overlaps: each occurrence has its own time.
	began := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	m.raise("4294967296", began, time.Time{})
	s.until("the host to be contained", func() bool { return saw(s.see(floodCase), incident.EvVerified, "throttle") })
	first := s.see(floodCase)
	if size, _ := first.Facts.Alert.BytesOut.Get(); size != 4<<30 {
		s.t.Errorf("the case has %v sent", first.Facts.Alert.BytesOut)
	}
	if window, _ := first.Facts.Alert.Window.Get(); window != 15*time.Minute {
		s.t.Errorf("the window is %v", first.Facts.Alert.Window)
	}
	m.sendsOn("while the case is open")
	if c := s.see(floodCase); c.Run != first.Run || joined(c) != 1 {
		s.t.Errorf("sent again, the alert joined %d times in run %s, want once in %s", joined(c), c.Run, first.Run)
	}

	m.raise("8589934592", began, time.Time{})
	s.until("the newer content to join", func() bool { return joined(s.see(floodCase)) == 2 })
	c := s.see(floodCase)
	if size, _ := c.Alerts[0].BytesOut.Get(); size != 8<<30 || len(c.Alerts) != 1 {
		s.t.Errorf("changed, the alert has %v sent beside %d others, want 8 GiB and none", c.Alerts[0].BytesOut, len(c.Alerts)-1)
	}

	s.closes(floodCase)
	m.sendsOn("once the case is closed")
	s.hasCases(1)
	over := time.Now().UTC()
	m.raise("8589934592", began, over)
	s.until("the news that it is over", func() bool {
		return s.taken("am", "recorded") > 0
	})
	s.hasCases(1)

	m.raise("4294967296", over.Add(time.Second), time.Time{})
	s.until("the next occurrence to open a case", func() bool {
		next := s.see(floodCase)
		return next.Run != "" && next.Run != first.Run
	})
	s.hasCases(2)
}

// joined counts how often an alert, or newer content of one, joined a case.
func joined(c incident.Case) (n int) {
	for _, e := range c.Timeline {
		if e.Kind == incident.EvJoined {
			n++
		}
	}
	return n
}

// sendsOn waits until the alert was sent twice more.
func (m *alertmanager) sendsOn(when string) {
	m.site.t.Helper()
	sent := func() int { return m.site.taken("am", "accepted") }
	before := sent()
	m.site.until("Alertmanager to send again "+when, func() bool { return sent() >= before+2 })
}

// taken counts the alerts of a source that came to a result.
func (s *site) taken(source, result string) int {
	s.t.Helper()
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^stanch_alerts_total\{(?:source=%q,result=%[2]q|result=%[2]q,source=%[1]q)\} (.*)$`, source, result))
	m := line.FindStringSubmatch(s.metrics())
	if m == nil {
		s.t.Fatalf("the alerts of source %s that were %s are not counted", source, result)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return int(n)
}

// hasCases wants so many cases, open and closed.
func (s *site) hasCases(want int) {
	s.t.Helper()
	var list api.CaseList
	if status := s.get("/v1/cases?limit=200", &list); status != http.StatusOK || len(list.Cases) != want {
		s.t.Errorf("%d: there are %d cases, want %d", status, len(list.Cases), want)
	}
}
