package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// floods is what the host sends, link the speed of the link to the internet, and
	// works what another host sends all along, in bits per second.
	floods, link, works = 60e6, 100e6, 1e6
	// alarmed is above what mean over alarmedOver the detector reports a host. A busy
	// machine sends less than it is asked to; and the flow store, which is some seconds
	// late, is to have the flood when the case asks it.
	alarmed, alarmedOver = floods / 4, 15 * time.Second
	// longest bounds every program of the network: a person may take ten minutes to
	// answer.
	longest = 20 * time.Minute
	// fastnetmon is the detector's name in the demo's stanch.yaml, tokenOfDetector the
	// file with its token.
	fastnetmon, tokenOfDetector = "fastnetmon", "fastnetmon.token"
)

// network is the network of a demo with real packets, and what runs in it.
type network struct {
	*lab.Lab
	flooder  *lab.Node
	counters *counters
	detector *lab.Program
	flood    *lab.Program
	// before is what an upload got before anything was limited, in bits per second.
	before int64
	// moments are those that no case knows.
	moments []moment
}

// happens notes a moment for the chart.
func (n *network) happens(format string, args ...any) {
	n.moments = append(n.moments, moment{time.Now(), fmt.Sprintf(format, args...)})
}

// real is the story with real packets.
func (s *show) real() []part {
	return []part{
		s.introduceReal, s.build, s.start, s.uploadBefore, s.observe, s.floodReal, s.detected, s.firstResponse, s.rule,
		s.approval, s.blocked, s.givenBack, s.uploadAfter, s.closed, s.chart,
	}
}

func (s *show) introduceReal(context.Context) error {
	return errors.Join(
		s.p.Title("Stanch demo with real packets: a flood is limited, and given back"),
		s.p.Field("story", "a host floods; a detector sees it; Stanch limits the host at the gateway, asks you before it blocks the flood, proves by the flow store that each helped, and gives both back", ""),
		s.p.Field("real", "the packets (hping3, iperf3), the gateway and its rules (Linux, nftables), the sensors (softflowd), the flow store (nfdump), the detector (FastNetMon), and all of Stanch", ""),
		s.p.Field("simulated", "the EDR, which says whose an address is, and Slack", ""),
		s.p.Field("apart", "all of it is in network namespaces of its own and removed at the end; the network of this machine is not touched", ""),
	)
}

// build builds the network, and lays out the demo's folder in the network's, so that
// both go together, however the demo ends.
func (s *show) build(ctx context.Context) error {
	err := errors.Join(s.p.Title("The network"), s.p.Live(nil, "building the network"))
	if err != nil {
		return err
	}
	l, err := lab.New(ctx, lab.Config{Link: link, Hosts: []lab.Host{
		{Name: "ws-042.corp.example", IPv4: alertedIP}, {Name: "ws-017.corp.example", IPv4: "10.20.4.17"},
	}})
	if err != nil {
		return err
	}
	s.network = &network{Lab: l, flooder: l.Hosts[0]}
	s.stop = append(s.stop, func() error { return errors.Join(s.keepLog(), l.Close()) })
	folder, err := l.Folder("stanch")
	if err != nil {
		return err
	}
	flows, err := l.Folder("flows-" + lab.Outside)
	if err != nil {
		return err
	}
	s.folder, err = fill(folder, true, "real", tokenOfDetector, "@FLOWS@", flows, "@GATEWAY@", l.Gateway.Namespace)
	if err != nil {
		return err
	}
	sent := newCounters(func(ctx context.Context) (int64, error) { return l.Gateway.Sent(ctx, lab.Outside) })
	s.network.counters, s.meter, s.measured = sent, sent, "from the counter of the gateway's interface"
	reading, stop := context.WithCancel(ctx)
	var metering sync.WaitGroup
	metering.Go(func() { sent.run(reading) })
	s.stop = append(s.stop, func() error { stop(); metering.Wait(); return nil })
	return errors.Join(
		s.p.Field("hosts", "ws-042 ("+alertedIP+"), which is going to flood, and ws-017", ""),
		s.p.Field("gateway", "forwards what they send to a server in the internet ("+lab.InternetIPv4+"), over a link of "+incident.FormatRate(link)+"; it has no rules", ""),
		s.p.Field("files", folder, "removed at the end"),
	)
}

// keepLog saves the log of a demo that failed, with what the detector said, from what is
// removed.
func (s *show) keepLog() error {
	if !s.failed || s.log == nil {
		return nil
	}
	text, err := os.ReadFile(s.folder.log)
	if err != nil {
		return fmt.Errorf("keep the log: %w", err)
	}
	if s.network.detector != nil {
		text = append(text, "\nThe detector said:\n"+s.network.detector.Output()+"\n"...)
	}
	kept, err := os.CreateTemp("", "stanch-demo-*.log")
	if err != nil {
		return fmt.Errorf("keep the log: %w", err)
	}
	s.folder.log = kept.Name()
	_, err = kept.Write(text)
	return errors.Join(err, kept.Close())
}

// observe starts what watches the network, and ordinary traffic of another host: a store
// that sees nothing at all cannot tell quiet from blindness.
func (s *show) observe(ctx context.Context) error {
	if err := s.p.Live(nil, "starting the sensors and the detector"); err != nil {
		return err
	}
	n := s.network
	if _, err := n.Flood(n.Hosts[1], lab.Flood{Rate: works, For: longest}); err != nil {
		return err
	}
	var err error
	n.detector, err = n.Notify(ctx, lab.Detector{Above: alarmed, Average: alarmedOver}, s.service.URL()+"/v1/alerts/"+fastnetmon, s.folder.secret.Reveal(), longest)
	if err != nil {
		return err
	}
	for _, sensor := range []lab.Sensor{
		{Interface: lab.Inside, Active: time.Second, Also: []int{lab.DetectorPort}}, {Interface: lab.Outside, Active: time.Second},
	} {
		if _, err := n.Flows(ctx, sensor, longest); err != nil {
			return err
		}
	}
	return errors.Join(
		s.p.Field("sensors", "softflowd reports every second which flows it saw, before the gateway to the detector, behind it to the flow store", ""),
		s.p.Field("detector", fmt.Sprintf("FastNetMon calls a script for a host that sends more than %s for some %s; the script posts an alert", incident.FormatRate(alarmed), incident.FormatDuration(alarmedOver)), ""),
		s.p.Field("meanwhile", "ws-017 sends "+incident.FormatRate(works)+" to the server, and goes on with it", ""),
	)
}

// floodReal begins the flood.
func (s *show) floodReal(ctx context.Context) error {
	n := s.network
	if err := s.p.Title("The flood"); err != nil {
		return err
	}
	var err error
	if n.flood, err = n.Flood(n.flooder, lab.Flood{Rate: floods, For: longest}); err != nil {
		return err
	}
	n.happens("ws-042 begins to flood")
	s.beat = time.Now()
	return s.p.Field("ws-042", "sends datagrams to "+lab.InternetIPv4+" port 53 without a pause, up to "+incident.FormatRate(floods), "hping3")
}

// detected waits until the detector's alert has become a case.
func (s *show) detected(ctx context.Context) error {
	begun := time.Now()
	err := s.await(ctx, 2*promptly, "an alert of FastNetMon", func(ctx context.Context) (bool, error) {
		list, err := s.api.Cases(ctx, api.CaseFilter{Limit: 1})
		if err != nil || len(list.Cases) == 0 {
			return false, err
		}
		s.ref = api.CaseRef{ID: list.Cases[0].ID, Run: list.Cases[0].Run}
		return true, nil
	})
	if err != nil {
		return err
	}
	rates, _ := s.meter.recent()
	return errors.Join(
		s.p.Field("egress", incident.FormatRate(rates[len(rates)-1])+" leave the gateway", s.measured),
		s.p.Field("alert", "FastNetMon saw the flood "+incident.FormatDuration(time.Since(begun).Truncate(time.Second))+" after its first packet, and posted an alert of "+alertedIP, ""),
		s.p.Title("The case "+s.ref.ID+", as it happens"),
	)
}

// rule shows what the gateway's kernel does, and how a person sees it for themselves.
func (s *show) rule(ctx context.Context) error {
	gateway := s.network.Gateway
	table, err := gateway.Run(ctx, "nft", "list", "table", "inet", "stanch")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(table)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "limit rate over") {
			return errors.Join(
				s.p.Say(""),
				s.p.Field("the rule", line, "read from the gateway's kernel just now"),
				s.p.Command("see it for yourself, as root in another terminal, while the demo runs", "ip netns exec "+filepath.Base(gateway.Namespace)+" nft list table inet stanch"),
			)
		}
	}
	return fmt.Errorf("%w: the limit is effective, and the gateway has no such rule:\n%s", errSurprise, table)
}

// blocked follows the approved block of the flood alone, with the host at work and its
// flood stopped, until the lease expires.
func (s *show) blocked(ctx context.Context) error {
	if !s.approved() {
		return nil
	}
	if err := s.proven(ctx, stopFlood); err != nil {
		return err
	}
	got, err := s.upload(ctx)
	if err != nil {
		return err
	}
	step, _ := s.step(stopFlood)
	s.network.happens("somebody at ws-042 stops the program that floods")
	s.network.flood.Stop()
	err = errors.Join(
		s.p.Field("upload", "ws-042 gets "+incident.FormatRate(got)+", all of its limit: the block stops the flood alone", "iperf3, TCP"),
		s.p.Say(""),
		s.p.Aside(fmt.Sprintf("Somebody at ws-042 stops the program that floods; the demo plays them. The playbook lends %s for %s only, so that you can see it end; yours would say hours. Nobody needs to be there:", stopFlood, incident.FormatDuration(step.TTL))),
	)
	if err != nil {
		return err
	}
	if err := s.ended(ctx, stopFlood, step.TTL+promptly); err != nil {
		return err
	}
	rate, err := s.afterRelease(ctx, stopFlood)
	if err != nil {
		return err
	}
	if limit, _ := s.step(throttle); rate >= limit.Rate/2 {
		return fmt.Errorf("%w: the flood was stopped, and %s still leave the gateway", errSurprise, incident.FormatRate(rate))
	}
	return nil
}

// uploadBefore measures what a host gets before anything happens.
func (s *show) uploadBefore(ctx context.Context) error {
	if err := s.p.Title("Before the flood"); err != nil {
		return err
	}
	s.beat = time.Now()
	got, err := s.upload(ctx)
	if err != nil {
		return err
	}
	s.network.before = got
	return s.p.Field("upload", "ws-042 gets "+incident.FormatRate(got)+" to the server in the internet", "iperf3, TCP")
}

// uploadAfter measures it again, when all was given back.
func (s *show) uploadAfter(ctx context.Context) error {
	if !s.approved() {
		return nil
	}
	got, err := s.upload(ctx)
	if err != nil {
		return err
	}
	if got < s.network.before/2 {
		return fmt.Errorf("%w: everything was given back, and an upload gets %s, which was %s before", errSurprise, incident.FormatRate(got), incident.FormatRate(s.network.before))
	}
	return s.p.Field("upload", "ws-042 gets "+incident.FormatRate(got)+", as before ("+incident.FormatRate(s.network.before)+")", "iperf3, TCP")
}

// upload sends as fast as it can for some seconds, and returns what arrived.
func (s *show) upload(ctx context.Context) (int64, error) {
	s.network.happens("an upload of ws-042 (iperf3)")
	measuring, stop := context.WithCancel(ctx)
	var got lab.Measured
	var failed error
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		got, failed = s.network.Measure(measuring, s.network.flooder, lab.Probe{For: settled})
	}()
	defer func() { stop(); <-finished }()
	over := func(context.Context) (bool, error) {
		select {
		case <-finished:
			return true, failed
		default:
			return false, nil
		}
	}
	if err := s.await(ctx, promptly, "an upload", over); err != nil {
		return 0, err
	}
	return got.Arrived, nil
}

// chart shows what left the gateway, with the moments of the case.
func (s *show) chart(context.Context) error {
	moments := slices.Clone(s.network.moments)
	for _, e := range s.c.Timeline {
		if text := told(e); text != "" {
			moments = append(moments, moment{e.At, text})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return a.at.Compare(b.at) })
	return errors.Join(
		s.p.Title("What left the gateway, from the beginning to the end"),
		s.p.Chart(s.network.counters.chart(moments)),
	)
}

// told is a moment of a case in the words of the chart; most events are none.
func told(e incident.Event) string {
	what := map[string]string{throttle: "limit", stopFlood: "block"}[e.Step]
	return map[incident.EventKind]string{
		incident.EvOpened:    "FastNetMon's alert opens a case",
		incident.EvDecided:   "policy decides: limit at once, ask before the block",
		incident.EvApproved:  "people approve the block",
		incident.EvDenied:    "people deny the block",
		incident.EvExpired:   "nobody has answered: no block",
		incident.EvConfirmed: "the " + what + " is in the gateway's kernel",
		incident.EvVerified:  "the " + what + " is effective, by the flow store",
		incident.EvGivenBack: "the " + what + " is given back",
	}[e.Kind]
}
