package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The gateway's detector takes flows, by NetFlow or IPFIX, at DetectorPort, and samples of
// packets, by sFlow, at DetectorSamples.
const (
	DetectorPort    = 2055
	DetectorSamples = 6343
)

// Detector is FastNetMon on the gateway. It knows nothing of cases: it hears what a sensor
// reports, and calls a script for a host that sends too much.
type Detector struct {
	// Above is the egress of a host above which it is an attack, in bits per second.
	Above int64
	// Average is the time over which egress is averaged, in whole seconds, one at least.
	// It is that after which a sensor reports a flow that goes on: what it reports at once
	// was sent in that time.
	Average time.Duration
	// Script is called with the address, the direction, the packets per second and
	// what happened, ban or unban. It runs with the network of this process, not with
	// the gateway's, so that it reaches a service on this machine's loopback.
	Script string
	// Env is what the script finds in its environment, such as NAME=value.
	Env []string
}

// Detect starts a detector, which runs for most at the longest. It comes before the
// sensors: these say only now and then how their records are to be read.
func (l *Lab) Detect(ctx context.Context, d Detector, most time.Duration) (*Program, error) {
	conf, err := l.settle(d)
	if err != nil {
		return nil, fmt.Errorf("set the detector up: %w", err)
	}
	p, err := l.Gateway.Start(most, "fastnetmon", "--configuration_file", conf, "--log_to_console", "--disable_pid_logic")
	if err != nil {
		return nil, err
	}
	return p, p.until(ctx, "listens", func() bool { return p.listens("udp", DetectorPort) && p.listens("udp", DetectorSamples) })
}

// settle writes the detector's configuration, and returns its path.
func (l *Lab) settle(d Detector) (string, error) {
	folder, err := l.Folder("detector")
	if err != nil {
		return "", err
	}
	path := func(name string) string { return filepath.Join(folder, name) }
	var networks strings.Builder
	for _, n := range Networks() {
		fmt.Fprintln(&networks, n)
	}
	// It is called within the gateway's namespace, and leaves it.
	script := "#!/bin/sh\n"
	for _, e := range d.Env {
		name, value, _ := strings.Cut(e, "=")
		script += "export " + name + "=" + quote(value) + "\n"
	}
	script += fmt.Sprintf("exec nsenter --net=/proc/%d/ns/net %s \"$@\"\n", os.Getpid(), quote(d.Script))
	conf := strings.Join([]string{
		"logging_level = info", "disable_usage_report = on", "enable_api = off", "prometheus = off",
		"enable_ban = on", "enable_ban_ipv6 = on", "ban_time = 1900", "unban_only_if_attack_finished = on",
		"process_incoming_traffic = off", "process_outgoing_traffic = on", "enable_connection_tracking = off",
		"ban_for_pps = off", "ban_for_flows = off", "ban_for_bandwidth = on", "threshold_mbps = " + strconv.FormatInt(d.Above/1e6, 10),
		"netflow = on", "netflow_host = 127.0.0.1", "netflow_port = " + strconv.Itoa(DetectorPort), "netflow_sampling_ratio = 1",
		"sflow = on", "sflow_host = 127.0.0.1", "sflow_port = " + strconv.Itoa(DetectorSamples),
		"average_calculation_time = " + seconds(max(d.Average, time.Second)), "ban_details_records_count = 1", "speed_calculation_delay = 1", "check_period = 1", "monitor_local_ip_addresses = off",
		"networks_list_path = " + path("networks"), "white_list_path = " + path("white"), "notify_script_path = " + path("notify"),
		"pid_path = " + path("pid"), "cli_stats_file_path = " + path("stats"), "cli_stats_ipv6_file_path = " + path("stats6"), "",
	}, "\n")
	for name, text := range map[string]string{"networks": networks.String(), "white": "", "fastnetmon.conf": conf} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return path("fastnetmon.conf"), os.WriteFile(path("notify"), []byte(script), 0o700)
}

// quote makes a text one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
