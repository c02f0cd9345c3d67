package main_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// products are where the products are that secrets are for. Those that answer
// refuse every login, and say all of what they were told.
type products struct {
	house, tables, web string
	// paged says that pagers have services.
	paged bool
}

func (p products) services(c canaries) string {
	if !p.paged {
		return ""
	}
	return fmt.Sprintf(", services: { secops: { routing_key: %s } }", c.plantWord("a routing key", ""))
}

// nowhere are products that cannot be reached.
func nowhere() products {
	return products{house: "127.0.0.1:1", tables: "127.0.0.1:1", web: "127.0.0.1:1"}
}

// refusing starts products that refuse every login.
func refusing(t *testing.T) products {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said, _ := httputil.DumpRequest(r, true)
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", r.Header.Get("Authorization")))
		w.WriteHeader(http.StatusUnauthorized)
		// The client may have hung up.
		_, _ = w.Write(said)
	}))
	t.Cleanup(web.Close)
	return products{
		house: serveOne(t, refuseHouse), tables: serveOne(t, refuseTables), web: strings.TrimPrefix(web.URL, "http://"),
	}
}

// serveOne listens, and has every connection answered.
func serveOne(t *testing.T, answer func(net.Conn) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				// A client that hangs up early does not matter here.
				_ = answer(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// refuseTables does as PostgreSQL does with a wrong password: it asks for it, and
// refuses it by the role's name.
func refuseTables(conn net.Conn) error {
	b := pgproto3.NewBackend(conn, conn)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return err
	}
	b.Send(&pgproto3.AuthenticationCleartextPassword{})
	if err := b.Flush(); err != nil {
		return err
	}
	if err := b.SetAuthType(pgproto3.AuthTypeCleartextPassword); err != nil {
		return err
	}
	if _, err := b.Receive(); err != nil {
		return err
	}
	b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: `password authentication failed for user "stanch"`})
	return b.Flush()
}

// refuseHouse does as ClickHouse does with a wrong password: it answers the
// greeting, which holds it, with an exception.
func refuseHouse(conn net.Conn) error {
	if _, err := io.ReadAtLeast(conn, make([]byte, 4096), 1); err != nil {
		return err
	}
	text := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b := binary.LittleEndian.AppendUint32([]byte{2}, 516)
	b = text(text(text(b, "DB::Exception"), "stanch: Authentication failed: password is incorrect, or there is no user with such name."), "")
	_, err := conn.Write(append(b, 0))
	return err
}
