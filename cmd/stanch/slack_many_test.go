package main_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	integrationsall "github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// openMany runs the service in this process over an estate with so many
// workstations that flood, and returns their estate.
func (o *office) openMany(hosts int) *memory.Estate {
	o.t.Helper()
	c, err := config.Parse(o.path("stanch.yaml"), []byte(o.settings("")), integrationsall.Catalog())
	if err != nil {
		o.t.Fatal(err)
	}
	running, err := service.Start(o.t.Context(), service.Options{Config: c, Log: quiet(o.t)})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			o.t.Error(err)
		}
	})
	o.running, o.url = running, running.URL()
	estate, err := integrations.Use[*memory.Estate](running.Integrations(), "edr")
	if err != nil {
		o.t.Fatal(err)
	}
	for i := range hosts {
		known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromInventory) }
		err := estate.AddHost(memory.Host{
			ID: hostOf(i), Name: hostOf(i), IPs: []string{addressOf(i)}, OS: "windows", Role: "workstation",
			Asset: incident.Asset{Role: known("workstation"), Site: known(hostOf(i))},
			Processes: []memory.Process{{
				Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, Name: "powershell.exe", PID: 7316, Signed: true,
				Streams: []memory.Stream{
					{Destinations: []string{"203.0.113.10"}, DstPort: 443, Transport: "tcp", BitsOut: 60_000, BitsIn: 90_000, From: -15 * 24 * time.Hour},
					{Destinations: resolvers(), DstPort: 53, Transport: "udp", BitsOut: 40_000_000, PacketBytes: 72, From: -10 * time.Minute},
				},
			}},
		})
		if err != nil {
			o.t.Fatal(err)
		}
	}
	o.wait("the socket to be open", func() bool { return o.slack.Sockets() > 0 })
	return estate
}

func hostOf(i int) string { return fmt.Sprintf("ws-%04d", 1000+i) }

func addressOf(i int) string { return fmt.Sprintf("10.40.%d.%d", i/200, 1+i%200) }

func resolvers() []string {
	var out []string
	for i := range 24 {
		out = append(out, fmt.Sprintf("198.51.100.%d", 10+i))
	}
	return out
}

// A thousand alerts reach one channel as a digest and a thread, at the pace
// that Slack allows, and a click on any card counts.
func TestAThousandAlertsAreOneDigestInSlack(t *testing.T) {
	t.Parallel()
	const hosts, alerts = 40, 1000
	o := newOffice(t, "socket", "do: [throttle, {", "do: [{")
	estate := o.openMany(hosts)
	next := make(chan int)
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for i := range next {
				if _, status := o.send(fmt.Sprintf("a-%d", i), hostOf(i%hosts), addressOf(i%hosts)); status != http.StatusAccepted {
					t.Errorf("alert %d: status %d", i, status)
				}
			}
		})
	}
	for i := range alerts {
		next <- i
	}
	close(next)
	senders.Wait()
	o.card("Many cases at once")
	// Every case knows that it is shown, though most cards come only later.
	for i := range hosts {
		o.wait("case "+hostOf(i)+" to be shown", func() bool { return saw(o.see("high-egress-windows/"+hostOf(i)), incident.EvShown, "") })
	}
	o.wait("every card to be in the thread or the channel", func() bool { return len(o.questions()) == hosts })
	// What came before it was a storm stands there by itself.
	top := slices.DeleteFunc(o.slack.Messages(cOncall), func(m slackfake.Message) bool { return m.Thread != "" && m.Thread != m.TS })
	if len(top) > 15 {
		t.Errorf("%d messages are in the channel itself", len(top))
	}
	for _, m := range o.questions()[:3] {
		o.click(uAlice, m, "Isolate")
	}
	o.wait("three isolations", func() bool { return estate.Count("apply", incident.Isolate) == 3 })
	if refused := o.throttled("chat.postMessage"); refused > 3 {
		t.Errorf("Slack had to refuse %d messages", refused)
	}
}

// questions are the cards with a question, in the channel and its threads.
func (o *office) questions() []slackfake.Message {
	return slices.DeleteFunc(o.slack.Messages(cOncall), func(m slackfake.Message) bool {
		return !slices.ContainsFunc(m.Buttons(), func(b slackfake.Button) bool { return strings.HasPrefix(b.Text, "Isolate") })
	})
}

// throttled is how many calls of a method Slack refused for coming too fast.
func (o *office) throttled(method string) int {
	refused := 0
	for _, c := range o.slack.Calls(method) {
		if c.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	return refused
}

func quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
}
