package clickhouse

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func TestQuietHostAfterContainmentIsAMeasuredZero(t *testing.T) {
	contract.QuietAfterContainment(t, openerOf(layouts()[1]).openSeen)
}

func TestStoreThatBeganLaterKnowsNothing(t *testing.T) {
	s := openerOf(layouts()[0]).open(t, []contract.Seen{contract.Second(-3*time.Hour, 1, 1)})
	got, err := s.Traffic(t.Context(), contract.Quarter())
	if err != nil {
		t.Fatal(err)
	}
	if got.BytesOut.IsKnown() || !strings.Contains(got.BytesOut.Why(), "oldest record") {
		t.Errorf("bytes_out is %v, want unknown: the store began hours later", got.BytesOut)
	}
}

func TestSumsGoBeyondTheRowsThatAreRead(t *testing.T) {
	l := layouts()[0]
	usual := l.config
	l.config = func(c *Config) { usual(c); c.MaxRows = 100 }
	contract.SumsBeyondRows(t, openerOf(l).openSeen)
}

// TestUserWithoutSettings queries with a deadline, which the driver would turn
// into a setting.
func TestUserWithoutSettings(t *testing.T) {
	c := openerOf(layouts()[0]).open(t, []contract.Seen{contract.Second(time.Minute, 5000, 10), contract.Second(-time.Hour, 1, 1)}).config
	c.User, c.Password = "locked", ""
	s := opened(t, &c)
	got, err := s.Traffic(t.Context(), contract.Quarter())
	if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
		t.Errorf("bytes_out is %v (%v), want 5000", got.BytesOut, err)
	}
	found := s.Probe(t.Context())
	if len(found) != 2 || !found[0].OK || found[1].OK || !strings.Contains(found[1].What, "readonly = 1") {
		t.Errorf("the probe says %+v, want that no limits can be set", found)
	}
}

func TestQuestionsAreHeldToReading(t *testing.T) {
	s := openerOf(layouts()[0]).open(t, []contract.Seen{contract.Second(time.Minute, 1, 1)})
	if _, err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := s.query(t.Context(), s.table, "CREATE TABLE never (a UInt8) ENGINE = Memory")
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("a table was made: %v, want it refused as read-only", err)
	}
}

func TestTooManyRowsToReadIsInvalid(t *testing.T) {
	l := layouts()[0]
	usual := l.config
	l.config = func(c *Config) { usual(c); c.MaxRowsToRead = 10 }
	var records []contract.Seen
	for i := range 100 {
		records = append(records, contract.Second(time.Duration(i)*time.Second, 1, 1))
	}
	_, err := openerOf(l).open(t, records).Traffic(t.Context(), contract.Quarter())
	if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(fmt.Sprint(err), "158") {
		t.Errorf("got %v, want an invalid error of code 158", err)
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

// TestOneDirectionNeedsNoOther reads a table that has no columns for the replies.
func TestOneDirectionNeedsNoOther(t *testing.T) {
	l := layouts()[2]
	usual := l.config
	l.config = func(c *Config) {
		usual(c)
		c.Direction, c.Columns.BytesIn, c.Columns.PacketsIn = "one", "bytes_in", "packets_in"
	}
	got, err := openerOf(l).open(t, []contract.Seen{contract.Second(time.Minute, 5000, 10), contract.Second(-time.Hour, 1, 1)}).Traffic(t.Context(), contract.Quarter())
	if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
		t.Errorf("bytes_out is %v (%v), want 5000", got.BytesOut, err)
	}
}

func TestTableMustFit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"a column that is not there", func(c *Config) { c.Columns.Sensor = "exporter" }, `has no column "exporter" that the user may read (columns.sensor)`},
		{"a column of the wrong type", func(c *Config) { c.Columns.SrcIP = "sent" }, `column "sent" of table`},
		{"text, which this server does not read", func(c *Config) { c.Columns.SrcIP, c.Columns.DstIP = "probe", "transport" }, "from version 23 on; the server's is 18"},
		{"a table that is not there", func(c *Config) { c.Table += "x" }, "there is no table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := layouts()[2]
			usual := l.config
			l.config = func(c *Config) { usual(c); tt.change(c) }
			_, err := openerOf(l).open(t, nil).Traffic(t.Context(), contract.Quarter())
			if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %v, want an invalid error with %q", err, tt.want)
			}
		})
	}
}

func TestConfigThatCannotBeRight(t *testing.T) {
	const planted = "c4n4ryS3cret"
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no port", func(c *Config) { c.Address = "flows" }, "is not host:port"},
		{"a connection string", func(c *Config) { c.Address = "clickhouse://stanch:" + planted + "@flows:9000" }, "is not host:port"},
		{"a login before it", func(c *Config) { c.Address = planted + "@flows:9000" }, "is not host:port"},
		{"columns that are known", func(c *Config) { c.Columns.Start = "t" }, "columns are for schema custom"},
		{"no columns", func(c *Config) { c.Schema, c.Table = "custom", "t" }, "columns.start is empty"},
		{"no table", func(c *Config) { c.Schema = "custom" }, `invalid table name ""`},
		{"a table that is SQL", func(c *Config) { c.Table = "flows; DROP TABLE flows" }, "invalid table name"},
		{"no rows", func(c *Config) { c.MaxRows = 0 }, "max_rows is 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := defaults()
			c.Address = "127.0.0.1:9000"
			tt.change(c)
			_, err := Spec().Open(t.Context(), c)
			if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %v, want an invalid error with %q", err, tt.want)
			}
			if strings.Contains(fmt.Sprint(err), planted) {
				t.Errorf("the error %v shows the password", err)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	add := func(v any) string { return fmt.Sprintf("%#v", v) }
	four, six := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::7")
	for _, tt := range []struct {
		kind, text string
		addr       netip.Addr
		forms      string
	}{
		{"IPv6", "::ffff:10.1.2.3", four, `toIPv6("::ffff:10.1.2.3")`},
		{"IPv6", "2001:db8::7", six, `toIPv6("2001:db8::7")`},
		{"IPv4", "10.1.2.3", four, `toIPv4("10.1.2.3")`},
		{"UInt32", "167838211", four, `toUInt32(0xa010203)`},
		{
			"FixedString(16)", "00000000000000000000FFFF0A010203", four,
			`toFixedString(unhex("00000000000000000000FFFF0A010203"), 16) toFixedString(unhex("0A010203000000000000000000000000"), 16)`,
		},
		{"FixedString(16)", "0A010203000000000000000000000000", four, ""},
		{"FixedString(16)", "20010DB8000000000000000000000007", six, `toFixedString(unhex("20010DB8000000000000000000000007"), 16)`},
	} {
		a := addressOf(tt.kind, "custom")
		if got, err := a.parse(tt.text); err != nil || got != tt.addr {
			t.Errorf("%s: %s is read as %s (%v), want %s", tt.kind, tt.text, got, err, tt.addr)
		}
		if got := strings.Join(a.forms(tt.addr, add), " "); tt.forms != "" && got != tt.forms {
			t.Errorf("%s: %s is queried as %s, want %s", tt.kind, tt.addr, got, tt.forms)
		}
	}
	for _, kind := range []string{"IPv4", "UInt32"} {
		if got := addressOf(kind, "custom").forms(six, add); len(got) != 0 {
			t.Errorf("%s: %s is queried as %v, though the column cannot hold it", kind, six, got)
		}
	}
	for kind, text := range map[string]string{"FixedString(16)": "zz", "UInt32": "4294967296", "IPv6": "x"} {
		if got, err := addressOf(kind, "custom").parse(text); err == nil {
			t.Errorf("%s: %q is read as %s", kind, text, got)
		}
	}
	if got := last(netip.MustParsePrefix("10.0.0.0/9")); got != netip.MustParseAddr("10.127.255.255") {
		t.Errorf("the last address of 10.0.0.0/9 is %s", got)
	}
}

// TestNewerTypes writes queries for types that the oldest server does not have.
func TestNewerTypes(t *testing.T) {
	q := &statement{t: &table{
		columns: map[string]string{"start": "`t`"}, types: map[string]string{"start": "DateTime64(9)"}, address: addressOf("IPv6", "akvorado"),
	}}
	if got, want := q.nanos("start"), "toUnixTimestamp64Nano(toDateTime64(`t`, 9))"; got != want {
		t.Errorf("a time is read by %s, want %s", got, want)
	}
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	if got, want := q.time("start", at), "fromUnixTimestamp64Nano(toInt64($1))"; got != want || q.args[0] != at.UnixNano() {
		t.Errorf("a time is queried as %s of %v, want %s", got, q.args, want)
	}
	for kind, want := range map[string]string{
		"LowCardinality(IPv6)": "IPv6", "LowCardinality(Nullable(String))": "String", "Nullable(DateTime64(3, 'UTC'))": "DateTime64(3, 'UTC')",
	} {
		if got := bare(kind); got != want {
			t.Errorf("%s is the type %s, want %s", kind, got, want)
		}
	}
}
