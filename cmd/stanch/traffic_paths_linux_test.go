package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestRealTrafficBeforeTheLimit has the flow store see what the sensor before the gateway
// does, which is the flood all along: the gateway's own counters prove the limit.
func TestRealTrafficBeforeTheLimit(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Inside, ", sees: { gateway: before }")
	r.watched(time.Second)
	r.limited(r.flooder)
	if !strings.Contains(r.proofOf(r.flooder), "by its own counters") {
		t.Errorf("it was proven by %q, want the counters", r.proofOf(r.flooder))
	}
	r.release(caseOf(r.flooder), "throttle")
	r.stop()
}

// proofOf is what the case of a host says of its limit's effect.
func (r *realSite) proofOf(host *lab.Node) string {
	for _, s := range r.see(caseOf(host)).Steps {
		if s.Name == "throttle" {
			return s.ProofDetail
		}
	}
	return ""
}

// overSSH puts the gateway behind a real SSH server, whose one command is the helper in
// the gateway's namespace. While the file hold is there, answers are held back that come
// when a limit stands.
func (r *realSite) overSSH(hold string) *servertest.SSHD {
	r.t.Helper()
	stanch, err := exec.LookPath("stanch")
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("gateway.yaml", "networks: [10.20.0.0/16]\nlowest_rate: 1Mbit\n")
	r.write("helper", fmt.Sprintf(`#!/bin/sh
answer=$(nsenter --net=%[1]s %[2]s gateway-helper --config %[3]s)
status=$?
while [ -e %[4]s ] && ip netns exec %[5]s nft list ruleset | grep -q 10.20.4.42; do
	sleep 0.05
done
printf '%%s\n' "$answer"
exit $status
`, r.lab.Gateway.Namespace, stanch, r.path("gateway.yaml"), hold, strings.TrimPrefix(r.lab.Gateway.Namespace, "/run/netns/")))
	if err := os.Chmod(r.path("helper"), 0o700); err != nil {
		r.t.Fatal(err)
	}
	sshd := servertest.NewSSHD(r.t, r.path("helper"))
	r.sshAt(sshd, sshd.Port())
	return sshd
}

// sshAt has the gateway's SSH server be reached at a port.
func (r *realSite) sshAt(sshd *servertest.SSHD, port int) {
	r.gateway = fmt.Sprintf("ssh: 'root@127.0.0.1:%d', host_key: '%s', key_file: %s", port, ssh.FingerprintSHA256(sshd.HostKey), sshd.KeyFile)
}

// TestRealGatewayOverSSH limits a flooding host at a gateway that is reached over a real
// SSH server.
func TestRealGatewayOverSSH(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	r.overSSH(r.path("hold"))
	r.watched(time.Second)
	r.limited(r.flooder)
	r.near("limited over SSH, TCP", r.transfer(r.flooder, lab.Probe{}), realLimit, 0.35)
	r.near("limited over SSH, UDP", r.transfer(r.flooder, lab.Probe{UDP: true, Rate: 3 * realLimit}), realLimit, 0.10)
	r.release(caseOf(r.flooder), "throttle")
	r.near("given back over SSH, TCP", r.transfer(r.flooder, lab.Probe{}), float64(r.before), 0.25)
	r.stop()
}

// TestRealGatewayCannotBeReached takes the way to the gateway away before a limit is given
// back: the lease says so, it is tried on, and done when the gateway is there again.
func TestRealGatewayCannotBeReached(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	way := r.path("gateway")
	r.gateway = "netns: " + way
	open := func() {
		if err := os.Symlink(r.lab.Gateway.Namespace, way); err != nil {
			t.Fatal(err)
		}
	}
	open()
	r.start("")
	id := r.alert("a-1", "ws-042", "10.20.4.42").ID
	r.until("the limit to be in place", func() bool { return saw(r.see(id), incident.EvConfirmed, "throttle") })
	if err := os.Remove(way); err != nil {
		t.Fatal(err)
	}
	r.letGo(id, "throttle")
	// An attempt is a minute of tries.
	r.patience = 3 * time.Minute
	r.until("the lease to say that it is not undone", func() bool {
		l, ok := r.onlyLease()
		return ok && l.Phase == incident.Undoing && strings.Contains(l.Problem, "the undo has not worked yet")
	})
	if !strings.Contains(r.rules(), "10.20.4.42") {
		t.Error("the limit is gone, though nothing reached the gateway")
	}
	open()
	r.until("the limit to be given back", func() bool { return saw(r.see(id), incident.EvGivenBack, "throttle") })
	if left := r.rules(); strings.Contains(left, "10.20.4.42") {
		t.Errorf("the gateway still has\n%s", left)
	}
	r.showTimeline(r.last)
	r.stop()
}

// onlyLease is the lease that stands, if there is exactly one.
func (r *realSite) onlyLease() (incident.Lease, bool) {
	var list api.LeaseList
	if r.get("/v1/leases", &list); len(list.Leases) != 1 {
		return incident.Lease{}, false
	}
	return list.Leases[0], true
}

// TestRealLimitOutlivesKills kills the process twice in a row when the gateway has the
// limit, and the answer that says so has not come: the next one finds it, and there is one.
func TestRealLimitOutlivesKills(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	hold := r.path("hold")
	r.write("hold", "")
	r.overSSH(hold)
	r.start("")
	ref := r.alert("a-1", "ws-042", "10.20.4.42")
	for range 2 {
		r.until("the limit to stand, unrecorded", func() bool {
			l, ok := r.onlyLease()
			return ok && l.Phase == incident.Applying && strings.Contains(r.rules(), "10.20.4.42")
		})
		r.kill()
		r.start("")
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	r.until("the limit to be recorded", func() bool { return saw(r.see(ref.ID), incident.EvConfirmed, "throttle") })
	if rules := r.rules(); strings.Count(rules, "10.20.4.42") != 1 {
		t.Errorf("the gateway has, want one limit:\n%s", rules)
	}
	if _, ok := r.onlyLease(); !ok {
		t.Error("there is not one lease")
	}
	r.release(ref.ID, "throttle")
	if left := r.rules(); strings.Contains(left, "10.20.4.42") {
		t.Errorf("the gateway still has\n%s", left)
	}
	r.showTimeline(r.last)
	r.stop()
}

// isolation isolates a host of which another alert tells.
var isolation = strings.NewReplacer(
	"real-flood", "real-intrusion", "'high_egress'", "'intrusion'", "do: [throttle]", "do: [cut-off]",
	"throttle: { action: rate_limit, use: gateway, with: { rate: 10Mbit }, ttl: 1h, unsure: act, verify: { egress_below: 15Mbit,",
	"cut-off: { action: isolate, use: edr, ttl: 1h, verify: { egress_below: 64kbit,",
)

// TestRealLimitAndIsolation has two cases contain one host, by a limit at the gateway and
// an isolation by its EDR. Each is given back for itself, in either order.
func TestRealLimitAndIsolation(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	r.write("playbooks/intrusion.yaml", isolation.Replace(realPlaybook))
	r.start("")
	for i, tt := range []struct {
		host, ip   string
		limitFirst bool
	}{{"ws-042", "10.20.4.42", true}, {"ws-017", "10.20.4.17", false}} {
		flood, intrusion := "real-flood/"+tt.host, "real-intrusion/"+tt.host
		r.alert("flood-"+tt.host, tt.host, tt.ip)
		body := map[string]any{"id": "intrusion-" + tt.host, "category": "intrusion", "host": map[string]any{
			"id": tt.host, "name": tt.host + ".corp.example", "ip": []string{tt.ip}, "os": "windows",
		}}
		if status := r.post("/v1/alerts/siem", sourceToken, body, nil); status != http.StatusAccepted {
			t.Fatalf("the alert is answered %d", status)
		}
		r.until("both to be in place", func() bool {
			return saw(r.see(flood), incident.EvConfirmed, "throttle") && saw(r.see(intrusion), incident.EvConfirmed, "cut-off")
		})
		stand := func(limit bool, undone int) {
			t.Helper()
			if got := strings.Contains(r.rules(), tt.ip); got != limit {
				t.Errorf("%s: limited is %v, want %v", tt.host, got, limit)
			}
			if got := r.effects("undo", incident.Isolate); got != undone {
				t.Errorf("%s: %d isolations were undone, want %d", tt.host, got, undone)
			}
		}
		stand(true, i)
		if tt.limitFirst {
			r.release(flood, "throttle")
			stand(false, i)
			r.release(intrusion, "cut-off")
		} else {
			r.release(intrusion, "cut-off")
			stand(true, i+1)
			r.release(flood, "throttle")
		}
		stand(false, i+1)
	}
	r.stop()
}
