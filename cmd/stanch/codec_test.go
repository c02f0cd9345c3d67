package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// The log of the codec server is as the configuration says: its format, and its level.
func TestCodecServersLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for level, want := range map[string]bool{"info": true, "error": false} {
		name := level + ".yaml"
		s.write(name, configuration("")+"log: { format: text, level: "+level+" }\n")
		port, err := servertest.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		var log bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "stanch", "codec", "--config", s.path(name), "--listen", address)
		cmd.Stderr = &log
		servertest.EndWithTest(cmd, syscall.SIGKILL)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s.until("the codec server to listen", func() bool {
			c, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		})
		out, err := exec.CommandContext(t.Context(), "stanch", "codec", "--config", s.path(name), "--listen", address).CombinedOutput()
		if want := "stanch: another process listens on " + address + ": "; err == nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("where another listens: %v, %s", err, out)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("level %s: %v", level, err)
		}
		if got := strings.Contains(log.String(), "level=INFO msg=ready"); got != want || !want && log.Len() > 0 {
			t.Errorf("with level %s it says %q", level, log.String())
		}
	}
}

// The built command decodes for who may read, with the keys of the configuration, and
// does not start where nobody could use it.
func TestCodecServer(t *testing.T) {
	t.Parallel()
	const key = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	s := newSite(t)
	s.write("stanch.yaml", configuration("")+"temporal: { encryption_keys: '"+key+"' }\n")
	s.write("alone.yaml", "data: ./data\nsources: {}\n")
	for want, args := range map[string][]string{
		"nobody has a token and the right read": {"--config", s.path("alone.yaml")},
		"is not an origin":                      {"--config", s.path("stanch.yaml"), "--origin", "http://127.0.0.1:8233/"},
		"--config is needed":                    {},
	} {
		out, err := exec.CommandContext(t.Context(), "stanch", append([]string{"codec"}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("codec %q: %v, %s", args, err, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), "stanch", "codec", "--config", s.path("stanch.yaml"), "--listen", "127.0.0.1:0")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(log).ReadString('\n')
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
	if err != nil || url == "" {
		t.Fatalf("it says %q, %v", line, err)
	}
	keys, err := engine.ParseKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := engine.Config{Keys: keys}.DataConverter()
	if err != nil {
		t.Fatal(err)
	}
	p, err := stored.ToPayload("what a case knows")
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{tokenOf(alice): "what a case knows", sourceToken: ""} {
		remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{Endpoint: url, ModifyRequest: func(req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+token)
			return nil
		}})
		var got string
		out, err := remote.Decode([]*commonpb.Payload{p})
		if err == nil {
			err = converter.GetDefaultDataConverter().FromPayload(out[0], &got)
		}
		if (err == nil) != (want != "") || got != want {
			t.Errorf("with %s it answers %q, %v", token, got, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
