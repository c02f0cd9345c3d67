package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// slack is how much longer than it sends a program may run: what it tells the other
// side at the end has to get through a limit, too.
const slack = 30 * time.Second

// Probe is a test transfer from a host to the internet.
type Probe struct {
	// UDP sends datagrams at Rate; else TCP sends as fast as it can.
	UDP bool
	// Rate is in bits per second of payload.
	Rate int64
	IPv6 bool
	// For is how long it is measured. The second before is left out, in which the
	// bucket of a limit is emptied.
	For time.Duration
}

// Measured is what came of a transfer.
type Measured struct {
	// Sent and Arrived are rates of payload, in bits per second.
	Sent, Arrived int64
	// Lost is the share of datagrams that did not arrive, from 0 to 1.
	Lost float64
}

// Measure sends from a host to the internet with iperf3, and returns what arrived.
// Several may measure at a time.
func (l *Lab) Measure(ctx context.Context, from *Node, p Probe) (Measured, error) {
	server, port, err := l.serve(ctx, p.For+slack)
	if err != nil {
		return Measured{}, err
	}
	defer server.Stop()
	to := InternetIPv4
	if p.IPv6 {
		to = InternetIPv6
	}
	argv := []string{
		"iperf3", "-c", to, "-p", strconv.Itoa(port), "-t", seconds(p.For), "-O", "1", "-J",
	}
	if p.UDP {
		argv = append(argv, "-u", "-b", strconv.FormatInt(p.Rate, 10))
	}
	ctx, cancel := context.WithTimeout(ctx, p.For+slack)
	defer cancel()
	out, err := from.Run(ctx, argv...)
	if err != nil {
		return Measured{}, fmt.Errorf("%w: %.300s", err, out)
	}
	return parseIperf(out)
}

// serve starts an iperf3 that measures one transfer, and returns its port.
func (l *Lab) serve(ctx context.Context, most time.Duration) (*Program, int, error) {
	l.mu.Lock()
	l.port++
	port := l.port
	l.mu.Unlock()
	server, err := l.Internet.Start(most, "iperf3", "-s", "-1", "-p", strconv.Itoa(port))
	if err != nil {
		return nil, 0, err
	}
	return server, port, server.until(ctx, "listens", func() bool { return server.listens("tcp", port) })
}

// parseIperf reads what iperf3 -J prints.
func parseIperf(out []byte) (Measured, error) {
	type sum struct {
		BitsPerSecond float64 `json:"bits_per_second"`
		LostPercent   float64 `json:"lost_percent"`
	}
	var report struct {
		Error string `json:"error"`
		End   struct {
			Sent     *sum `json:"sum_sent"`
			Received *sum `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return Measured{}, fmt.Errorf("read iperf3's report: %w", err)
	}
	switch {
	case report.Error != "":
		return Measured{}, fmt.Errorf("iperf3: %s", report.Error)
	case report.End.Sent == nil || report.End.Received == nil:
		return Measured{}, errors.New("iperf3's report has no sums")
	}
	return Measured{
		Sent: int64(report.End.Sent.BitsPerSecond), Arrived: int64(report.End.Received.BitsPerSecond),
		Lost: report.End.Received.LostPercent / 100,
	}, nil
}

// Flood is a burst of datagrams to the port of DNS in the internet.
type Flood struct {
	// Rate is in bits per second on the wire.
	Rate int64
	// For is when it ends by itself.
	For time.Duration
}

const (
	floodPayload = 1200
	floodHeaders = 28
)

// Flood has a host send datagrams with hping3 until the program is stopped, or the time
// is over. All of them have one source port.
func (l *Lab) Flood(from *Node, f Flood) (*Program, error) {
	pause := int64(floodPayload+floodHeaders) * 8 * 1e6 / max(f.Rate, 1)
	// -n: it would ask a name service. Its own bound, a number of packets, does not
	// hold where some are refused.
	return from.Start(f.For, "hping3", "-n", "-q", "--udp", "-p", "53", "-s", "40053", "-k",
		"-d", strconv.Itoa(floodPayload), "-i", fmt.Sprintf("u%d", max(pause, 1)), InternetIPv4)
}

// FloodIPv6 is a flood over IPv6, which hping3 does not know: iperf3 sends it, from one
// port to another. It listens in the internet when FloodIPv6 returns.
func (l *Lab) FloodIPv6(ctx context.Context, from *Node, f Flood) (*Program, error) {
	_, port, err := l.serve(ctx, f.For)
	if err != nil {
		return nil, err
	}
	const headers = floodHeaders + 20
	return from.Start(f.For, "iperf3", "-c", InternetIPv6, "-p", strconv.Itoa(port), "-t", seconds(f.For), "-u",
		"-l", strconv.Itoa(floodPayload), "-b", strconv.FormatInt(f.Rate*floodPayload/(floodPayload+headers), 10))
}

// seconds is a time as iperf3 takes it.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(d.Round(time.Second)/time.Second), 10)
}
