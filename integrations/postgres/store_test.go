package postgres

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

func TestQuietHostAfterContainmentIsAMeasuredZero(t *testing.T) {
	contract.QuietAfterContainment(t, openerOf(layouts()[1]).openSeen)
}

func TestSumsGoBeyondTheRowsThatAreRead(t *testing.T) {
	o := openerOf(layouts()[0])
	o.config = func(c *Config) { c.MaxRows = 100 }
	contract.SumsBeyondRows(t, o.openSeen)
}

func TestFlowThatGoesOnCountsUpToTheNewestRecord(t *testing.T) {
	o := openerOf(layouts()[0])
	s := o.open(t, []contract.Seen{contract.Second(20*time.Minute, 40_000, 10), contract.Second(time.Minute, 0, 0), contract.Second(0, 1, 1)})
	running(t).exec(t, fmt.Sprintf(`UPDATE s%d.flows SET end_time = NULL WHERE bytes_out = 40000`, running(t).made.Load()))
	got, err := s.Traffic(t.Context(), contract.Quarter())
	if err != nil {
		t.Fatal(err)
	}
	// 15 of the 20 minutes up to the newest record, which is at the window's end.
	if n, ok := got.BytesOut.Get(); !ok || n < 29_900 || n > 30_100 {
		t.Errorf("bytes_out is %v, want three quarters of 40000", got.BytesOut)
	}
}

func TestSumsAgreeWithTheFlows(t *testing.T) {
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			few, many := openerOf(l), openerOf(l)
			many.summed = true
			contract.SumsAgree(t, few.openSeen, many.openSeen)
		})
	}
}

func TestTableMustFit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"a column that is not there", func(c *Config) { c.Columns.Sensor = "exporter" }, `has no column "exporter" that the role may read (columns.sensor)`},
		{"a column of the wrong type", func(c *Config) { c.Columns.SrcIP = "bytes_out" }, `column "bytes_out" of table`},
		{"two columns of different types", func(c *Config) { c.Columns.DstIP = "transport" }, "are of different types"},
		{"a table that is not there", func(c *Config) { c.Table += "x" }, "there is no table"},
		{"a table of another schema", func(c *Config) { c.Table = "flows" }, `there is no table "flows" that the role may read`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := openerOf(layouts()[0])
			o.config = tt.change
			_, err := o.open(t, nil).Traffic(t.Context(), contract.Quarter())
			if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %v, want an invalid error with %q", err, tt.want)
			}
		})
	}
}

func TestConfigThatCannotBeRight(t *testing.T) {
	apart := func(c *Config, host string) { c.DSN, c.Host, c.Database, c.User = "", host, "x", "u" }
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no address", func(c *Config) { c.DSN = "" }, "write dsn, or host, database and user"},
		{"two addresses", func(c *Config) { c.Host = "db" }, "write either dsn or host"},
		{"a connection string as host", func(c *Config) { apart(c, "postgres://u:"+readerPassword+"@db/x") }, "write a connection string as dsn"},
		{"a login before the host", func(c *Config) { apart(c, readerPassword+"@db") }, "write a connection string as dsn"},
		{"settings as host", func(c *Config) { apart(c, "host=db password="+readerPassword) }, "write a connection string as dsn"},
		{"a name that is SQL", func(c *Config) { c.Columns.Start = `start"; DROP TABLE flows; --` }, "columns.start: invalid column name"},
		{"a table that is SQL", func(c *Config) { c.Table = "flows; DROP TABLE flows" }, "invalid table name"},
		{"no counter", func(c *Config) { c.Columns.BytesOut = "" }, "columns need bytes_out or payload_out"},
		{"an end twice", func(c *Config) { c.Columns.Duration = "duration" }, "exclude each other"},
		{"no start", func(c *Config) { c.Columns.Start = "" }, "columns.start is empty"},
		{"no rows", func(c *Config) { c.MaxRows = 0 }, "max_rows is 0"},
		{"an invalid string", func(c *Config) { c.DSN = "postgres://u:" + readerPassword + "@host:none/x" }, "dsn is not a connection string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := defaults()
			c.DSN = "postgres://reader@127.0.0.1/flows"
			tt.change(c)
			_, err := Spec().Open(t.Context(), c)
			if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %v, want an invalid error with %q", err, tt.want)
			}
			if strings.Contains(fmt.Sprint(err), readerPassword) {
				t.Error("the error shows the password")
			}
		})
	}
}

func TestSessionsCannotWrite(t *testing.T) {
	s := running(t)
	c := defaults()
	c.DSN = integrations.Secret(s.dsn("admin", adminPassword, s.port))
	store, err := newStore(c)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.pool.Exec(t.Context(), `CREATE TABLE never ()`); err == nil || !strings.Contains(err.Error(), "25006") {
		t.Errorf("the administrator's session made a table: %v, want it read-only", err)
	}
}

func TestSlowQuestionEnds(t *testing.T) {
	o := openerOf(layouts()[0])
	o.config = func(c *Config) {
		c.StatementTimeout = 50 * time.Millisecond
		c.Table = strings.TrimSuffix(c.Table, "flows") + "slow"
	}
	o.create += `; CREATE VIEW %[1]s.slow AS SELECT f.* FROM %[1]s.flows f, pg_sleep(30); GRANT SELECT ON %[1]s.slow TO PUBLIC`
	_, err := o.open(t, []contract.Seen{contract.Second(time.Minute, 1, 1)}).Traffic(t.Context(), contract.Quarter())
	if integrations.KindOf(err) != integrations.Unavailable || !strings.Contains(fmt.Sprint(err), "57014") {
		t.Errorf("got %v, want it unavailable after the statement's timeout", err)
	}
}

func TestProbe(t *testing.T) {
	good := openerOf(layouts()[0]).open(t, []contract.Seen{contract.Second(time.Minute, 1, 1)})
	for _, f := range good.Probe(t.Context()) {
		if !f.OK {
			t.Errorf("a table with indexes is found wanting: %s", f.What)
		}
	}
	bad := openerOf(layouts()[2]) // no index at all but the one below
	bad.create += `; CREATE INDEX ON %[1]s.flows (ts)`
	bad.create = strings.Replace(bad.create, "%s", "%[1]s", 1)
	var missing []string
	for _, f := range bad.open(t, []contract.Seen{contract.Second(time.Minute, 1, 1)}).Probe(t.Context()) {
		if !f.OK {
			missing = append(missing, f.What)
		}
	}
	if got := strings.Join(missing, ", "); got != "no index begins with orig_h, no index begins with resp_h" {
		t.Errorf("the probe reports %q, want the two missing indexes", got)
	}
	empty := openerOf(layouts()[0]).open(t, nil).Probe(t.Context())
	if len(empty) != 1 || empty[0].OK || empty[0].Fix == "" {
		t.Errorf("the probe of an empty table says %+v", empty)
	}
}

// TestWrongProtocolIsReported connects to servers of another protocol, or of none.
func TestWrongProtocolIsReported(t *testing.T) {
	for _, tt := range []struct{ name, says, tls, want string }{
		{"nothing", "", "disable", "does not greet as PostgreSQL does"},
		{"nothing, with TLS", "", "require", "does not greet as PostgreSQL does"},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "disable", "does not greet as PostgreSQL does"},
		{"no TLS", "N", "require", "write tls: disable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := defaults()
			host, port, _ := net.SplitHostPort(servertest.Saying(t, tt.says))
			c.Host, c.Database, c.User, c.TLS = host, "x", "u", tt.tls
			c.Port, _ = strconv.Atoi(port)
			s, err := newStore(c)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			_, err = s.Traffic(t.Context(), contract.Quarter())
			if err == nil || integrations.KindOf(err) != integrations.Unavailable || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it unavailable, with %q", err, tt.want)
			}
		})
	}
}
