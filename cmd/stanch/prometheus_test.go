package main_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// The files that people copy to watch Stanch.
const (
	shippedAlarms    = "../../docs/monitoring/alerts.yml"
	shippedDashboard = "../../docs/monitoring/dashboard.json"
)

func read(tb testing.TB, file string) string {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// prometheus is a Prometheus that reads a site and has the shipped alarms.
type prometheus struct {
	site *site
	url  string
}

// watched starts a Prometheus. Each edit of the alarms is a pattern and what stands for it.
func (s *site) watched(edits [][2]string) *prometheus {
	s.t.Helper()
	rules := read(s.t, shippedAlarms)
	for _, edit := range edits {
		edited := regexp.MustCompile(edit[0]).ReplaceAllString(rules, edit[1])
		if edited == rules {
			s.t.Fatalf("the alarms have no %s", edit[0])
		}
		rules = edited
	}
	s.write("alerts.yml", rules)
	// A scrape may wait two seconds for what stands.
	s.write("prometheus.yml", `global: { scrape_interval: 3s, evaluation_interval: 1s }
rule_files: [alerts.yml]
scrape_configs: [{ job_name: stanch, file_sd_configs: [{ files: [targets.json], refresh_interval: 1s }] }]
`)
	port, err := servertest.FreePort()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &prometheus{s, fmt.Sprintf("http://127.0.0.1:%d", port)}
	p.target()
	log, err := os.Create(s.path("prometheus.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+s.path("prometheus.yml"), "--storage.tsdb.path="+s.path("tsdb"),
		"--web.listen-address="+strings.TrimPrefix(p.url, "http://"))
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
			s.t.Logf("Prometheus said: %.4000s", read(s.t, s.path("prometheus.log")))
		}
	})
	return p
}

// target has it read the process that the site runs now.
func (p *prometheus) target() {
	p.site.t.Helper()
	p.site.write("targets.new", fmt.Sprintf(`[{"targets": [%q]}]`, p.instance()))
	if err := os.Rename(p.site.path("targets.new"), p.site.path("targets.json")); err != nil {
		p.site.t.Fatal(err)
	}
}

func (p *prometheus) instance() string { return strings.TrimPrefix(p.site.url, "http://") }

// begins waits until the process that runs now was read: the first increase is seen after that.
func (p *prometheus) begins() {
	p.site.t.Helper()
	p.target()
	p.holds(fmt.Sprintf("stanch_standing_age_seconds{instance=%q}", p.instance()))
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string
	Value  [2]any
}

// number is the sample's value; what is none is not a number.
func (s sample) number() float64 {
	text, _ := s.Value[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// ask evaluates a query now. While Prometheus does not answer there is nothing.
func (p *prometheus) ask(query string) []sample {
	res, err := p.site.client.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusServiceUnavailable {
		return nil
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Status != "success" {
		p.site.t.Errorf("%s: %v %s", query, err, answer.Error)
	}
	return answer.Data.Result
}

// holds waits until a query answers with anything.
func (p *prometheus) holds(query string) {
	p.site.t.Helper()
	p.site.until(query, func() bool { return len(p.ask(query)) > 0 })
}

// fired are the alarms that have fired until now.
func (p *prometheus) fired() []string {
	var names []string
	for _, one := range p.ask(`count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[15m]))`) {
		names = append(names, one.Metric["alertname"])
	}
	slices.Sort(names)
	return names
}

// fires waits for alarms.
func (p *prometheus) fires(alarms ...string) {
	p.site.t.Helper()
	for _, alarm := range alarms {
		p.holds(fmt.Sprintf(`count_over_time(ALERTS{alertname=%q, alertstate="firing"}[15m])`, alarm))
	}
}

// panels wants each query of the dashboard to answer with a number.
func (p *prometheus) panels() {
	t := p.site.t
	t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, shippedDashboard)), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			if !slices.ContainsFunc(p.ask(target.Expr), func(one sample) bool { return !math.IsNaN(one.number()) }) {
				t.Errorf("panel %q shows nothing of %s", panel.Title, target.Expr)
			}
		}
	}
}
