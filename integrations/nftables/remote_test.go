package nftables

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// helperIs is the command that is the test's own program as a helper.
func helperIs(mode, guard string) string {
	return fmt.Sprintf("env %s=%s %s=%s %s", helperMode, mode, helperGuard, guard, os.Args[0])
}

// settings are those by which a server of the test is reached.
func settings(s *servertest.SSHD, port int) Remote {
	return Remote{SSH: fmt.Sprintf("root@127.0.0.1:%d", port), HostKey: ssh.FingerprintSHA256(s.HostKey), KeyFile: s.KeyFile}
}

func openRemote(t testing.TB, c Remote) *remote {
	t.Helper()
	r, err := c.open(defaultMaxLimits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// each makes every call of a table, and hands its error to judge.
func each(t testing.TB, r *remote, judge func(what string, write bool, err error)) {
	t.Helper()
	limit := limitOf("10.1.0.5")
	_, err := r.List(t.Context(), nil)
	judge("list", false, err)
	judge("check", false, r.Check(t.Context(), limit))
	_, err = r.Put(t.Context(), limit)
	judge("put", true, err)
	_, err = r.Delete(t.Context(), limit)
	judge("delete", true, err)
	_, err = r.state(t.Context())
	judge("state", false, err)
}

func TestHostileAnswers(t *testing.T) {
	s := servertest.NewSSHD(t, "true")
	for _, mode := range slices.Sorted(maps.Keys(hostileAnswers())) {
		s.Allow(t, helperIs(mode, ""))
		each(t, openRemote(t, settings(s, s.Port())), func(what string, write bool, err error) {
			want := integrations.Unavailable
			if write {
				want = integrations.Ambiguous
			}
			if err == nil || integrations.KindOf(err) != want {
				t.Errorf("%s with %s: %v, want %s", what, mode, err, want)
			} else if len(err.Error()) > 1000 {
				t.Errorf("%s with %s: the error has %d bytes", what, mode, len(err.Error()))
			}
		})
	}
}

// TestAnAnswerAboutSomethingElse is one that is well-formed, and of another host.
func TestAnAnswerAboutSomethingElse(t *testing.T) {
	s := servertest.NewSSHD(t, helperIs("another-limit", ""))
	_, err := openRemote(t, settings(s, s.Port())).Put(t.Context(), limitOf("10.1.0.5"))
	if integrations.KindOf(err) != integrations.Ambiguous {
		t.Errorf("a put that was answered for another host: %v, want it ambiguous", err)
	}
	if both := limitOf("10.1.0.5", "10.1.0.6"); !both.holds(limitOf("10.1.0.5").Scope) {
		t.Error("a limit of the host and another address does not pass for the answer")
	}
	if block := blockOf(incident.Filter{Direction: incident.Outbound, RemotePort: 53}); block.holds(limitOf("10.1.0.5").Scope) {
		t.Error("a block passes for a limit")
	}
}

func TestWhatTheGatewayLacks(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := servertest.NewSSHD(t, "true")
	for what, c := range map[string]struct{ command, want string }{
		"the program":           {"/nowhere/stanch gateway-helper", "the gateway has no stanch gateway-helper"},
		"the right to run it":   {plain, "may not run its stanch gateway-helper"},
		"the command":           {`echo 'stanch: unknown command \"gateway-helper\"' >&2; exit 2`, "takes our request for none: stanch: unknown command"},
		"this version":          {`echo '{"version":7}'`, "speaks version 7 of the protocol, and this side version 1: install the same release of stanch on both, this side's is the older"},
		"a newer version":       {`echo '{"version":0}'`, "speaks version 0 of the protocol, and this side version 1: install the same release of stanch on both, the gateway's is the older"},
		"the configuration":     {helperIs("serve", filepath.Join(dir, "none.yaml")), "there is no such file"},
		"a good configuration":  {helperIs("serve", guardFile(t, "networks: [10.1.0.5/16]\n")), "10.1.0.5/16"},
		"a closed one":          {helperIs("serve", chmod(t, guardFile(t, "networks: [10.1.0.0/16]\n"), 0o666)), "others than root may write it (0666)"},
		"known settings in it":  {helperIs("serve", guardFile(t, "networks: [10.1.0.0/16]\ntable: filter\n")), "unknown key"},
		"a network in the file": {helperIs("serve", guardFile(t, "networks: []\n")), "networks"},
	} {
		s.Allow(t, c.command)
		each(t, openRemote(t, settings(s, s.Port())), func(call string, _ bool, err error) {
			kind := integrations.Unavailable
			if strings.Contains(c.command, os.Args[0]) {
				kind = integrations.Denied
			}
			if integrations.KindOf(err) != kind || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%s at a gateway that lacks %s: %v, want %s: %s", call, what, err, kind, c.want)
			}
		})
	}
}

func guardFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func chmod(t testing.TB, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWhoCanChangeTheGuard lets a guard count only where root alone can.
func TestWhoCanChangeTheGuard(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: OpenSSH's server needs root, and must be installed")
	}
	const text = "networks: [10.1.0.0/16]\nlink: 1Gbit\nlowest_rate: 1Mbit\nmax_limits: 7\nactions: [block]\n"
	g, err := ReadGuard(guardFile(t, text))
	want := Guard{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Link: 1e9, LowestRate: 1e6, MaxLimits: 7, Actions: []incident.Action{incident.Block}}
	if err != nil || fmt.Sprint(g) != fmt.Sprint(want) {
		t.Errorf("ReadGuard = %+v, %v, want %+v", g, err, want)
	}
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(guardFile(t, text), link); err != nil {
		t.Fatal(err)
	}
	owned, folder, loose := guardFile(t, text), guardFile(t, text), guardFile(t, text)
	for _, path := range []string{owned, filepath.Dir(folder)} {
		if err := os.Chown(path, 65534, -1); err != nil {
			t.Fatal(err)
		}
	}
	chmod(t, filepath.Dir(loose), 0o777)
	for what, path := range map[string]string{
		"a file of another's": owned, "a folder of another's": folder, "a folder that all can write": loose,
		"a link": link, "a folder": t.TempDir(), "no folder": "/nowhere/gateway.yaml",
		"a file of its group's": chmod(t, guardFile(t, text), 0o664), "a file that all can write": chmod(t, guardFile(t, text), 0o646),
	} {
		if g, err := ReadGuard(path); err == nil {
			t.Errorf("%s was read: %+v", what, g)
		}
	}
}

func TestRemoteSettings(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	public, line := servertest.NewKey(t, key)
	pin := ssh.FingerprintSHA256(public)
	for text, want := range map[string]string{
		"stanch@gw1": "gw1:22", "stanch@gw1:2222": "gw1:2222", "stanch@gw1.example": "gw1.example:22", "stanch@10.1.0.1": "10.1.0.1:22",
		"stanch@[2001:db8::1]": "[2001:db8::1]:22", "stanch@[2001:db8::1]:2222": "[2001:db8::1]:2222", "stanch@2001:db8::1": "[2001:db8::1]:22",
	} {
		for _, hostKey := range []string{pin, line} {
			c := Remote{SSH: text, HostKey: hostKey, KeyFile: key}
			if _, err := c.open(defaultMaxLimits); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			if user, address, err := c.place(); err != nil || user != "stanch" || address != want {
				t.Errorf("%s is %s at %s, %v, want %s", text, user, address, err, want)
			}
		}
	}
	for _, text := range []string{
		"gw1", "@gw1", "stanch@", "stanch@gw1:", "stanch@gw1:0", "stanch@gw1:65536", "stanch@gw1:ssh", "stanch@-oProxyCommand=id", "-l@gw1",
		"stanch@gw1 -p 22", "stanch@gw1\n", "a@b@gw1", "ssh://stanch@gw1", "Stanch@gw1", "stanch@gw1;id",
	} {
		if err := (Remote{SSH: text, HostKey: pin, KeyFile: key}).check(); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
	for what, c := range map[string]Remote{
		"no host key": {SSH: "stanch@gw1", KeyFile: key}, "no key": {SSH: "stanch@gw1", HostKey: pin}, "no gateway": {HostKey: pin, KeyFile: key},
		"another file": {SSH: "stanch@gw1", HostKey: pin, KeyFile: key + "x"}, "another host key": {SSH: "stanch@gw1", HostKey: "any", KeyFile: key},
	} {
		if _, err := c.open(defaultMaxLimits); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}
