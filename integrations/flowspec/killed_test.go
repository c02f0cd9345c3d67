package flowspec_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowspec"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// speakTo is a process with the speaker and one standing lease.
func speakTo(to string) error {
	address, port, _ := strings.Cut(to, " ")
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	device, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		return err
	}
	s, _ := integrations.NewCatalog(flowspec.Vendor()).Integration("flowspec")
	opened, err := s.Connect(context.Background(), &flowspec.Config{
		Session:  at(flowspec.Peer{Address: address, ASN: asn, Port: number}),
		Networks: hosts(), MaxRules: 10,
	})
	if err != nil {
		return err
	}
	return opened.(integrations.Restorer).Restore(context.Background(), []incident.Order{
		{Key: "k1", Action: incident.RateLimit, Target: device, Rate: 10_000_000, Addresses: []string{"10.1.0.42"}},
	})
}

// A speaker that is killed takes its rules along, and one that starts brings them back,
// as often as that happens.
func TestKilledSpeaker(t *testing.T) {
	b := servertest.NewBIRD(t, "")
	for range 2 {
		var out bytes.Buffer
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), speakerEnv+"="+b.Address+" "+strconv.Itoa(b.Port))
		c.Stdout, c.Stderr = &out, &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			if t.Failed() {
				t.Log(out.String())
			}
		})
		b.Shows("show route table limits4 all", "src 10.1.0.42/32;", "0x49989680")
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		b.Lacks("show route table limits4", "10.1.0.42")
	}
}
