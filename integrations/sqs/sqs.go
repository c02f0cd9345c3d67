// Package sqs fetches alerts from queues of AWS SQS.
package sqs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Transports: []alerts.Transport{Transport()}}
}

// Transport describes queues of SQS.
func Transport() alerts.Transport {
	return alerts.Transport{
		Kind:    "sqs",
		Summary: "A queue of AWS SQS, standard or FIFO.",
		Doc: `Each message's body is one body; what SNS or EventBridge wraps it into is read by the kind of the source. Up to ten are taken
at once; those of one message group of a FIFO queue one after the other, in their order. A message is deleted only when the
engine holds it, and hidden from others while it is being taken. Several receivers share the queue.

While the engine takes nothing, each message is received again and again: a redrive policy with a small ` + "`maxReceiveCount`" + ` moves it to
the dead-letter queue then, where Stanch does not look. SQS keeps a message for as long as the queue's retention says.

It needs ` + "`sqs:ReceiveMessage`" + `, ` + "`sqs:DeleteMessage`" + `, ` + "`sqs:ChangeMessageVisibility`" + ` and ` + "`sqs:GetQueueAttributes`" + ` on the queue. See
[AWS SQS](../integrations/sqs.md).`,
		Example:   `{ kind: sqs, queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/alerts" }`,
		NewConfig: func() any { return &Config{Hidden: time.Minute} },
		Open:      open,
	}
}

func open(ctx context.Context, config any) (alerts.Puller, error) {
	const op = "open sqs"
	c, ok := config.(*Config)
	if !ok {
		return nil, integrations.Errorf(integrations.Invalid, op, "the configuration is a %T, not a %T", config, c)
	}
	p, err := newPuller(ctx, c)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return p, nil
}

// Config describes a queue.
type Config struct {
	QueueURL        string              `yaml:"queue_url,required" doc:"The queue's URL, as the console shows it; it is asked there."`
	Region          string              `yaml:"region" doc:"The queue's region; none: that of the URL."`
	AccessKeyID     string              `yaml:"access_key_id" doc:"The access key's id; none: the credentials that the AWS SDK finds, such as the role of the instance or of the pod."`
	SecretAccessKey integrations.Secret `yaml:"secret_access_key" doc:"The access key's secret."`
	Hidden          time.Duration       `yaml:"hidden" doc:"For how long a message that was received is hidden from other receivers. It stays hidden while it is being taken; where a receiver dies, it comes again after this."`
	CA              string              `yaml:"ca" path:"" doc:"A PEM file of an authority in addition to those of the system, where a proxy breaks up TLS."`
}

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	u, err := url.Parse(c.QueueURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || strings.Trim(u.Path, "/") == "":
		return errors.New("queue_url is not an address such as https://sqs.eu-central-1.amazonaws.com/123456789012/alerts")
	case u.Scheme == "http" && !strings.HasPrefix(u.Host, "127.0.0.1:") && !strings.HasPrefix(u.Host, "localhost:"):
		return errors.New("queue_url is http: alerts and signatures would be sent as they are")
	case c.region() == "":
		return errors.New("region is missing, and queue_url does not say it")
	case c.Hidden < time.Second || c.Hidden > 12*time.Hour || c.Hidden%time.Second != 0:
		return errors.New("hidden is not a number of whole seconds between 1s and 12h")
	case (c.AccessKeyID == "") != (c.SecretAccessKey == ""):
		return errors.New("access_key_id and secret_access_key go together")
	}
	return nil
}

// region is the queue's: sqs.REGION.amazonaws.com has it.
func (c *Config) region() string {
	if c.Region != "" {
		return c.Region
	}
	u, err := url.Parse(c.QueueURL)
	if err != nil {
		return ""
	}
	if parts := strings.Split(u.Hostname(), "."); len(parts) > 3 && parts[0] == "sqs" {
		return parts[1]
	}
	return ""
}

// ordered reports whether the queue keeps an order. The names of such queues, and of no
// others, end so.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues.html
func (c *Config) ordered() bool { return strings.HasSuffix(c.QueueURL, ".fifo") }

// client returns a client, and what closes its connections.
func (c *Config) client(ctx context.Context) (*sqs.Client, func(), error) {
	if err := c.Check(); err != nil {
		return nil, nil, err
	}
	tls, err := httpx.TLS(c.CA, "", "")
	if err != nil {
		return nil, nil, err
	}
	keys, err := c.credentials(ctx)
	if err != nil {
		return nil, nil, err
	}
	u, err := url.Parse(c.QueueURL)
	if err != nil {
		return nil, nil, errors.New("queue_url is not an address")
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: tls, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: receiveMost, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: answerWithin,
	}
	return sqs.New(sqs.Options{
		Region: c.region(), Credentials: keys, BaseEndpoint: aws.String(u.Scheme + "://" + u.Host),
		// The caller has pauses of its own.
		Retryer:    aws.NopRetryer{},
		HTTPClient: &sender{http.Client{Timeout: receiveWait + answerWithin, Transport: transport}},
	}), transport.CloseIdleConnections, nil
}

// sender sends requests whose body is its own. The SDK closes the body when the answer begins;
// net/http, which may still look for its end, would then break the connection off in the middle
// of the answer.
type sender struct{ client http.Client }

// Do implements [sqs.HTTPClient].
func (s *sender) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return s.client.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	own := r.Clone(r.Context())
	own.Body = io.NopCloser(bytes.NewReader(body))
	return s.client.Do(own)
}

// credentials are those of the file, or those that the SDK finds where it runs.
func (c *Config) credentials(ctx context.Context) (aws.CredentialsProvider, error) {
	if c.AccessKeyID != "" {
		return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), ""), nil
	}
	found, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(c.region()))
	if err != nil {
		return nil, errors.New("look for credentials of AWS: its own configuration cannot be read")
	}
	return found.Credentials, nil
}
