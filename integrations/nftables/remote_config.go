package nftables

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/nftables/sshrun"
)

// How long the parts of a call over SSH may take. A helper ends before its caller gives up.
const (
	remoteConnect = 10 * time.Second
	remoteCall    = helperTime + 10*time.Second
	remoteAlive   = 15 * time.Second
)

// Remote is how a gateway is reached over SSH, for embedding in the configuration.
type Remote struct {
	SSH     string `yaml:"ssh" doc:"Where the gateway is, such as stanch@gw1.example or stanch@gw1.example:2222. Empty: Stanch runs on the gateway itself."`
	HostKey string `yaml:"host_key" doc:"The gateway's own key: its fingerprint, such as SHA256:jMXq…, or the whole public key. It must be set with ssh; a gateway that shows another key is sent nothing."`
	KeyFile string `yaml:"key_file" path:"" doc:"The file of the private key by which the gateway knows Stanch, without a passphrase. Nobody but its owner may have rights on it."`
}

// isRemote reports whether the gateway is reached over SSH.
func (c Remote) isRemote() bool { return c != (Remote{}) }

// check returns what is wrong with the settings.
func (c Remote) check() error {
	switch {
	case !c.isRemote():
		return nil
	case c.SSH == "":
		return errors.New("host_key and key_file are for a gateway that is reached over SSH: set ssh")
	case c.HostKey == "":
		return errors.New("host_key must be set with ssh: the gateway shows it by ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub")
	case c.KeyFile == "":
		return errors.New("key_file must be set with ssh")
	}
	_, _, err := c.place()
	return err
}

// place returns the user, and the address as host:port.
func (c Remote) place() (user, address string, err error) {
	user, at, ok := strings.Cut(c.SSH, "@")
	if !ok || !regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}$`).MatchString(user) {
		return "", "", fmt.Errorf("invalid ssh %q: must be as stanch@gw1.example or stanch@gw1.example:2222", c.SSH)
	}
	host, port := at, "22"
	if h, p, err := net.SplitHostPort(at); err == nil {
		host, port = h, p
	} else if inner, ok := strings.CutPrefix(at, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("invalid ssh %q: the port is not between 1 and 65535", c.SSH)
	}
	if net.ParseIP(host) == nil && !regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`).MatchString(host) {
		return "", "", fmt.Errorf("invalid ssh %q: the gateway is neither a name nor an address; IPv6 with a port is written [2001:db8::1]:22", c.SSH)
	}
	return user, net.JoinHostPort(host, port), nil
}

// openTable returns the table that the configuration means. It does not connect.
func (c *Config) openTable() (table, error) {
	if !c.isRemote() {
		return openKernel(c.NetNS, c.MaxLimits)
	}
	return c.Remote.open(c.MaxLimits)
}

// open returns the table at the gateway, which may hold so many limits. It does not connect.
func (c Remote) open(most int) (*remote, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	user, address, err := c.place()
	if err != nil {
		return nil, err
	}
	pinned, err := sshrun.ParseHostKey(c.HostKey)
	if err != nil {
		return nil, fmt.Errorf("invalid host_key: %w", err)
	}
	signer, err := sshrun.ReadKey(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	return &remote{name: c.SSH, pinned: pinned.Fingerprint(), most: most, host: sshrun.New(sshrun.Options{
		User: user, Address: address, HostKey: pinned, Signer: signer, Command: HelperCommand,
		MaxOutput: maxAnswer, Connect: remoteConnect, Run: remoteCall, Alive: remoteAlive,
	})}, nil
}
