package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stanch-soar/stanch/integrations/servertest"
)

// server is a ClickHouse for these tests only, on loopback ports.
type server struct {
	dir string
	// port is that of the native protocol, 0 for an engine that is only queried
	// over HTTP; web is that of HTTP.
	port   int
	web    int
	admin  driver.Conn
	made   atomic.Int64
	absent bool // it is not installed
	// refused reports whether the reader is refused.
	refused atomic.Bool
}

// shared is the server that Debian ships, current the current engine. Both are
// started by TestMain and then only read.
var shared, current *server

func TestMain(m *testing.M) {
	var stop, end func()
	shared, stop = startServer()
	current, end = startCurrent()
	code := m.Run()
	end()
	stop()
	os.Exit(code)
}

func startServer() (*server, func()) {
	command := []string{"clickhouse-server"}
	path, err := exec.LookPath(command[0])
	if err != nil {
		// Newer packages bring one program with many names.
		command = []string{"clickhouse", "server"}
		if path, err = exec.LookPath(command[0]); err != nil {
			return &server{absent: true}, func() {}
		}
	}
	dir, err := os.MkdirTemp("", "stanch-clickhouse-")
	if err != nil {
		panic(err)
	}
	s, stop, err := start(dir, path, command[1:])
	if err != nil {
		_ = os.RemoveAll(dir)
		panic(err)
	}
	return s, func() {
		stop()
		_ = os.RemoveAll(dir)
	}
}

const serverConfig = `<?xml version="1.0"?>
<yandex>
	<logger><level>warning</level><log>%[1]s/log</log><errorlog>%[1]s/errors</errorlog></logger>
	<listen_host>127.0.0.1</listen_host><tcp_port>%[2]d</tcp_port><http_port>%[3]d</http_port>
	<path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path>
	<users_config>%[1]s/users.xml</users_config>
	<default_profile>default</default_profile><default_database>default</default_database>
	<mark_cache_size>268435456</mark_cache_size><timezone>Europe/Berlin</timezone>
</yandex>`

// usersConfig has the administrator, the reader unless it is refused, and a user
// whose profile allows no settings.
const usersConfig = `<?xml version="1.0"?>
<yandex>
	<profiles><default/><locked><readonly>1</readonly></locked></profiles>
	<users>
		<default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
		<locked><password></password><networks><ip>127.0.0.1</ip></networks><profile>locked</profile><quota>default</quota></locked>
		%s
	</users>
	<quotas><default/></quotas>
</yandex>`

const reader = `<reader><password>` + readerPassword + `</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></reader>`

func start(dir, path string, args []string) (*server, func(), error) {
	port, err := servertest.FreePort()
	if err != nil {
		return nil, nil, err
	}
	web, err := servertest.FreePort()
	if err != nil {
		return nil, nil, err
	}
	s := &server{dir: dir, port: port, web: web}
	config := filepath.Join(dir, "config.xml")
	for name, text := range map[string]string{
		config: fmt.Sprintf(serverConfig, dir, port, web), filepath.Join(dir, "users.xml"): fmt.Sprintf(usersConfig, reader),
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return nil, nil, err
		}
	}
	ctx := context.Background()
	cmd := exec.CommandContext(ctx, path, append(args, "--config-file="+config)...)
	cmd.Dir = dir
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &said
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		if s.admin != nil {
			_ = s.admin.Close()
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	s.admin, err = driver.Open(&driver.Options{Addr: []string{fmt.Sprintf("127.0.0.1:%d", port)}, MaxOpenConns: 2})
	if err != nil {
		stop()
		return nil, nil, err
	}
	if err := s.await(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("connect to the server: %w\n%s", err, said.String())
	}
	return s, stop, nil
}

// await waits until the server answers.
func (s *server) await(ctx context.Context) error {
	deadline := time.Now().Add(60 * time.Second)
	for look := time.Tick(50 * time.Millisecond); ; <-look {
		err := s.admin.Ping(ctx)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// admit accepts or refuses the reader.
func (s *server) admit(tb testing.TB, yes bool) {
	tb.Helper()
	if s.refused.Swap(!yes) == !yes {
		return
	}
	who := ""
	if yes {
		who = reader
	}
	if err := os.WriteFile(filepath.Join(s.dir, "users.xml"), []byte(fmt.Sprintf(usersConfig, who)), 0o644); err != nil {
		tb.Fatal(err)
	}
	s.exec(tb, "SYSTEM RELOAD CONFIG")
}

// exec runs a statement as the administrator.
func (s *server) exec(tb testing.TB, sql string) {
	tb.Helper()
	if err := s.admin.Exec(context.Background(), sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// load writes rows into a table. It goes over HTTP, as the driver cannot insert
// into a server this old.
func (s *server) load(tb testing.TB, table string, rows [][]any) {
	tb.Helper()
	if len(rows) == 0 {
		return
	}
	var body bytes.Buffer
	for _, row := range rows {
		for i, v := range row {
			if i > 0 {
				body.WriteByte('\t')
			}
			body.WriteString(field(v))
		}
		body.WriteByte('\n')
	}
	s.post(tb, "INSERT INTO "+table+" FORMAT TabSeparated", &body)
}

func (s *server) post(tb testing.TB, query string, body io.Reader) {
	tb.Helper()
	at := fmt.Sprintf("http://127.0.0.1:%d/?query=%s", s.web, url.QueryEscape(query))
	res, err := http.Post(at, "text/tab-separated-values", body)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %v %s", query, err, text)
	}
}

func field(v any) string {
	switch v := v.(type) {
	case time.Time:
		return fmt.Sprint(v.Unix())
	case *int64:
		if v == nil {
			return `\N`
		}
		return fmt.Sprint(*v)
	case string:
		var text strings.Builder
		for _, b := range []byte(v) {
			if b > ' ' && b < 0x7f && b != '\\' {
				text.WriteByte(b)
			} else {
				fmt.Fprintf(&text, `\x%02x`, b)
			}
		}
		return text.String()
	default:
		return fmt.Sprint(v)
	}
}

// ready returns a server, or skips the test.
func (s *server) ready(tb testing.TB) *server {
	tb.Helper()
	switch {
	case !s.absent:
	case s == current:
		tb.Skip("SKIPPED: ClickHouse's engine chdb 3.4.0 is not installed")
	default:
		tb.Skip("SKIPPED: ClickHouse is not installed")
	}
	return s
}

func running(tb testing.TB) *server {
	tb.Helper()
	return shared.ready(tb)
}
