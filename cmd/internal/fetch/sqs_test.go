package fetch_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/sqs"
	"github.com/stanch-soar/stanch/integrations/sqs/sqsfake"
)

func TestSQSLosesAndDoublesNothing(t *testing.T) {
	const path = "/123456789012/alerts"
	double := sqsfake.New(path)
	server := httptest.NewServer(sqsfake.Signed("eu-central-1", "AKIAEXAMPLE", "key", double))
	t.Cleanup(server.Close)
	survives(t, "sqs", queue{
		open: func() alerts.Puller {
			c, _ := sqs.Transport().NewConfig().(*sqs.Config)
			c.QueueURL, c.Region, c.AccessKeyID, c.SecretAccessKey = server.URL+path, "eu-central-1", "AKIAEXAMPLE", "key"
			c.Hidden = 2 * time.Second
			return opened(t, sqs.Transport(), c)
		},
		send:    func(bodies ...string) { double.Send("", bodies...) },
		restart: func() { server.CloseClientConnections(); double.Expire() },
	})
}
