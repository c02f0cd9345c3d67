package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Sensor exports the flows that it sees on an interface of the gateway.
type Sensor struct {
	// Interface is [Inside], which is before a limit of the gateway, or [Outside].
	Interface string
	// Active is after how long a flow that goes on is reported, in whole seconds.
	Active time.Duration
	// Also are further ports of the gateway's loopback to which the flows are sent.
	Also []int
}

// rotation is how often nfcapd completes a file, the least that it knows. What is in
// a file that is not complete cannot be read.
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
	collector, err := l.Gateway.Start(most, "nfcapd", "-C", "none", "-w", folder, "-b", "127.0.0.1",
		"-p", strconv.Itoa(port), "-t", seconds(rotation))
	if err != nil {
		return "", err
	}
	if err := collector.until(ctx, "listens", func() bool { return collector.listens("udp", port) }); err != nil {
		return "", err
	}
	to := "127.0.0.1:" + strconv.Itoa(port)
	for _, other := range s.Also {
		to += ",127.0.0.1:" + strconv.Itoa(other)
	}
	control := filepath.Join(l.folder, "softflowd-"+s.Interface)
	sensor, err := l.Gateway.Start(most, "softflowd", "-d", "-N", "-i", s.Interface, "-n", to, "-v", "9",
		"-t", "maxlife="+seconds(s.Active), "-t", "expint=1", "-c", control, "-p", control+".pid")
	if err != nil {
		return "", err
	}
	if err := sensor.until(ctx, "captures", func() bool { return strings.Contains(sensor.Output(), "starting data collection") }); err != nil {
		return "", fmt.Errorf("sensor on %s: %w", s.Interface, err)
	}
	return folder, nil
}
