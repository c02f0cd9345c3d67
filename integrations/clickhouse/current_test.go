package clickhouse

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/stanch-soar/stanch/integrations/contract"
)

// folderVariable names the folder into which ClickHouse's engine of today was
// installed, by
//
//	npm install --prefix FOLDER chdb@3.4.0
const folderVariable = "STANCH_CHDB"

// startCurrent starts the engine behind an HTTP interface: in the folder that
// the variable names, else in the user's cache.
func startCurrent() (*server, func()) {
	folder := os.Getenv(folderVariable)
	if cache, err := os.UserCacheDir(); err == nil && folder == "" {
		folder = filepath.Join(cache, "stanch", "chdb")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return &server{absent: true}, func() {}
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "chdb")); err != nil {
		return &server{absent: true}, func() {}
	}
	s := &server{}
	if s.web, err = contract.FreePort(); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, node, filepath.Join("testdata", "chdb", "serve.js"), folder, strconv.Itoa(s.web))
	cmd.Env = append(os.Environ(), "TZ=Europe/Berlin")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	stop := func() {
		cancel()
		_ = cmd.Wait()
	}
	s.admin, err = driver.Open(&driver.Options{Protocol: driver.HTTP, Addr: []string{fmt.Sprintf("127.0.0.1:%d", s.web)}, MaxOpenConns: 2})
	if err == nil {
		err = s.await(ctx)
	}
	if err != nil {
		stop()
		panic(fmt.Sprintf("start the engine: %v\n%s", err, said.String()))
	}
	return s, stop
}

// through has a store ask the engine, which is reached over HTTP only.
func (s *server) through(tb testing.TB, store *Store) {
	tb.Helper()
	o := store.config.connection()
	o.Protocol, o.Addr = driver.HTTP, []string{fmt.Sprintf("127.0.0.1:%d", s.web)}
	conn, err := driver.Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	_ = store.conn.Close()
	store.conn = conn
}

// TestCurrentEngine asks the engine of today whatever Debian's server is asked,
// of the same records, for the same answers.
func TestCurrentEngine(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			o := openerOf(l)
			o.on = current.ready(t)
			h := contract.FlowsHarness{
				Knobs:    contract.Knobs{Unbreakable: "an engine in a process of the test's own"},
				OpenSeen: o.openSeen,
			}
			l.harness(&h)
			contract.Flows(t, h)
			contract.Hunter(t, h)
			contract.Surveyor(t, h)
		})
		t.Run(l.name+" in sums", func(t *testing.T) {
			few, many := openerOf(l), openerOf(l)
			few.on, many.on, many.summed = current.ready(t), current.ready(t), true
			contract.SumsAgree(t, few.openSeen, many.openSeen)
			h := contract.FlowsHarness{
				Knobs:    contract.Knobs{Unbreakable: "an engine in a process of the test's own"},
				OpenSeen: many.openSeen,
			}
			l.harness(&h)
			contract.Flows(t, h)
		})
	}
}
