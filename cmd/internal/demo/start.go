package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
	"github.com/stanch-soar/stanch/cmd/internal/auth"
	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/logs"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// start starts the parts of `stanch serve` in this process.
func (s *show) start(ctx context.Context) error {
	begun := time.Now()
	err := errors.Join(s.p.Title("Start"), s.p.Live(nil, "starting the engine, the worker and the receiver"))
	if err != nil {
		return err
	}
	c, err := config.Load(s.folder.path(configFile), all.Catalog())
	if err != nil {
		return fmt.Errorf("read the demo's configuration: %w", err)
	}
	s.log, err = os.OpenFile(s.folder.path(logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the demo's log: %w", err)
	}
	s.stop = append(s.stop, s.log.Close)
	s.service, err = service.Start(ctx, service.Options{Config: c, Log: logs.New(s.log, logs.Text, slog.LevelInfo)})
	if err != nil {
		return err
	}
	s.stop = append(s.stop, s.service.Stop)
	if s.api, err = apiclient.New(s.service.URL(), s.folder.token); err != nil {
		return err
	}
	took := time.Since(begun).Round(10 * time.Millisecond).String()
	return errors.Join(
		s.p.Field("engine", "Temporal with its database, in this process, after "+took, ""),
		s.p.Field("receiver", s.service.URL(), ""),
	)
}

// attackAgo is how long before the estate's start its attack began; the shipped
// log is moved to end there.
const attackAgo = 10 * time.Minute

// alertedIP is the address of the host of the shipped alert.
const alertedIP = "10.20.4.42"

// importFlows fills the flow store: the shipped log first, then the sensor's records
// since, and from then on continuously.
func (s *show) importFlows(ctx context.Context) error {
	set := s.service.Integrations()
	estate, err := integrations.Use[*memory.Estate](set, "edr")
	if err != nil {
		return err
	}
	store, err := integrations.Use[*sqlite.Store](set, "flows")
	if err != nil {
		return err
	}
	packed, err := shipped.ReadFile("files/" + flowLog)
	if err != nil {
		return fmt.Errorf("read the shipped flow log: %w", err)
	}
	attack := estate.Start().Add(-attackAgo)
	if err := s.p.Live(nil, "importing the flow log"); err != nil {
		return err
	}
	done, err := store.Import(ctx, bytes.NewReader(packed), sqlite.ImportOptions{Name: flowLog, Sensor: sensorName, ShiftTo: attack})
	if err != nil {
		return err
	}
	span, err := store.Span(ctx)
	if err != nil {
		return err
	}
	exporter := newSensor(estate, store, attack, []string{alertedIP})
	s.meter, s.measured = exporter, "from the flow store"
	if err := exporter.export(ctx, time.Now()); err != nil {
		return err
	}
	now, err := store.Span(ctx)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	var exporting sync.WaitGroup
	exporting.Go(func() { exporter.run(running) })
	s.stop = append(s.stop, func() error { stop(); exporting.Wait(); return nil })
	days := int(span.Newest.Sub(span.Oldest).Round(24*time.Hour).Hours() / 24)
	return errors.Join(
		s.p.Field("flow log", fmt.Sprintf("%d flows of %d days imported from a Zeek conn.log", done.Records, days), "synthetic, moved to end now"),
		s.p.Field("sensor", fmt.Sprintf("%d flows of the last %s, and on from here twice a second", now.Records-span.Records,
			incident.FormatDuration(attackAgo)), "what the estate really sends"),
	)
}

// flood shows what the flow store measures before the alert.
func (s *show) flood(ctx context.Context) error {
	begun := time.Now()
	s.beat = begun
	var rates []int64
	err := s.await(ctx, promptly, "a measurement", func(context.Context) (bool, error) {
		var until time.Time
		rates, until = s.meter.recent()
		return until.Sub(begun) >= settled && len(rates) > 0, nil
	})
	if err != nil {
		return err
	}
	return s.p.Field("egress", "ws-042 sends "+incident.FormatRate(rates[len(rates)-1]), s.measured+", just now")
}

// source is the SIEM's name in the demo's stanch.yaml.
const source = "siem"

// signed returns the signature that proves that the SIEM sent a body.
func (s *show) signed(body []byte, now time.Time) func(*http.Request) {
	return func(req *http.Request) {
		req.Header.Set(auth.SignatureHeader, httpx.Signature(s.folder.secret, now, body))
	}
}

// postAlert sends the shipped alert as a SIEM does, and sends it again.
func (s *show) postAlert(ctx context.Context) error {
	now := time.Now()
	body, err := s.folder.alert(now)
	if err != nil {
		return err
	}
	accepted, err := s.api.Send(ctx, source, body, s.signed(body, now))
	if err != nil {
		return err
	}
	took := time.Since(now).Round(time.Millisecond).String()
	if len(accepted.Cases) != 1 {
		return fmt.Errorf("%w: one alert went to %d cases", errSurprise, len(accepted.Cases))
	}
	s.ref = accepted.Cases[0]
	again, err := s.api.Send(ctx, source, body, s.signed(body, now))
	if err != nil {
		return err
	}
	if len(again.Cases) != 1 || again.Cases[0].ID != s.ref.ID || again.Cases[0].Run != s.ref.Run {
		return fmt.Errorf("%w: the alert was sent twice and is in two cases", errSurprise)
	}
	return errors.Join(
		s.p.Title("The alert"),
		s.p.Field("siem", "POST /v1/alerts/"+source+", signed: 202 after "+took+", the engine holds it", ""),
		s.p.Field("siem", "sent again, as SIEMs do: 202, the same case", ""),
		s.p.Title("The case "+s.ref.ID+", as it happens"),
	)
}
