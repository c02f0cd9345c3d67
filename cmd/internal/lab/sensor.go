package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Sensor reports what it sees on an interface of the gateway: flows, by IPFIX, or samples
// of packets, by sFlow.
type Sensor struct {
	// Interface is [Inside], which is before a limit of the gateway, or [Outside].
	Interface string
	// Active is after how long a flow that goes on is reported, in whole seconds.
	Active time.Duration
	// Sampling makes it report one packet in so many, at once, instead of flows.
	Sampling int
	// Also are further ports of the gateway's loopback to which it reports.
	Also []int
}

// rotation is how often nfcapd and sfcapd complete a file, the least that they know. What
// is in a file that is not complete cannot be read.
const rotation = 2 * time.Second

// Flows starts a sensor on the gateway, with a collector next to it, and returns the
// lab's folder flows-inside or flows-outside with the records, as nfdump reads it. They
// run for most at the longest.
func (l *Lab) Flows(ctx context.Context, s Sensor, most time.Duration) (folder string, err error) {
	folder, err = l.Folder("flows-" + s.Interface)
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	l.port++
	port := l.port
	l.mu.Unlock()
	program := "nfcapd"
	if s.Sampling > 0 {
		program = "sfcapd"
	}
	collector, err := l.Gateway.Start(most, program, "-C", "none", "-w", folder, "-b", "127.0.0.1",
		"-p", strconv.Itoa(port), "-t", seconds(rotation))
	if err != nil {
		return "", err
	}
	if err := collector.until(ctx, "listens", func() bool { return collector.listens("udp", port) }); err != nil {
		return "", err
	}
	var to []string
	for _, p := range append([]int{port}, s.Also...) {
		to = append(to, "127.0.0.1:"+strconv.Itoa(p))
	}
	if s.Sampling > 0 {
		err = l.sample(ctx, s, to, most)
	} else {
		err = l.export(ctx, s, to, most)
	}
	if err != nil {
		return "", fmt.Errorf("sensor on %s: %w", s.Interface, err)
	}
	return folder, nil
}

// export starts softflowd. It speaks IPFIX: of its NetFlow 9 the detector reads some
// packets in part only.
func (l *Lab) export(ctx context.Context, s Sensor, to []string, most time.Duration) error {
	control := filepath.Join(l.folder, "softflowd-"+s.Interface)
	p, err := l.Gateway.Start(most, "softflowd", "-d", "-N", "-i", s.Interface, "-n", strings.Join(to, ","), "-v", "10", "-A", "milli",
		"-t", "maxlife="+seconds(s.Active), "-t", "expint=1", "-c", control, "-p", control+".pid")
	if err != nil {
		return err
	}
	return p.until(ctx, "captures", func() bool { return strings.Contains(p.Output(), "starting data collection") })
}

// sample starts pmacctd, with an agent of sFlow for each receiver.
func (l *Lab) sample(ctx context.Context, s Sensor, to []string, most time.Duration) error {
	agent, _, _ := strings.Cut(insideIPv4, "/")
	conf := fmt.Sprintf("pcap_interface: %s\npromisc: false\nsampling_rate: %d\nsfprobe_agentip: %s\n", s.Interface, s.Sampling, agent)
	var plugins []string
	for i, receiver := range to {
		plugins = append(plugins, fmt.Sprintf("sfprobe[to%d]", i))
		conf += fmt.Sprintf("sfprobe_receiver[to%d]: %s\n", i, receiver)
	}
	conf += "plugins: " + strings.Join(plugins, ",") + "\n"
	path := filepath.Join(l.folder, "pmacctd-"+s.Interface)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return err
	}
	p, err := l.Gateway.Start(most, "pmacctd", "-f", path)
	if err != nil {
		return err
	}
	return p.until(ctx, "captures", func() bool {
		said := p.Output()
		return strings.Contains(said, "link type is") && strings.Count(said, "Sampling at:") == len(to)
	})
}

// ReadyToSample returns an error that says what is missing, beside what [Ready] asks for,
// for sensors that sample.
func ReadyToSample() error {
	for _, program := range []string{"pmacctd", "sfcapd"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed", program)
		}
	}
	return nil
}
