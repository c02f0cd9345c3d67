package sqstest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/sqs/sqstest"
)

// heard is a test that notes what it is told.
type heard struct {
	testing.TB
	said []string
}

func (h *heard) Errorf(format string, args ...any) {
	h.said = append(h.said, fmt.Sprintf(format, args...))
}

func TestItBites(t *testing.T) {
	const receive, remove, ask = "ReceiveMessage", "DeleteMessageBatch", "GetQueueAttributes"
	for name, c := range map[string]struct {
		op, request string
		status      int
		answer      string
		want        string
	}{
		"all in order": {
			receive, `{"QueueUrl":"u","MaxNumberOfMessages":10,"MessageSystemAttributeNames":["MessageGroupId"]}`,
			200, `{"Messages":[{"Body":"b","Attributes":{"MessageGroupId":"g"}}]}`, "",
		},
		"nothing waits":                    {receive, `{"QueueUrl":"u"}`, 200, `{}`, ""},
		"an error of the operation":        {receive, `{"QueueUrl":"u"}`, 400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}`, ""},
		"an error of all":                  {receive, `{"QueueUrl":"u"}`, 403, `{"__type":"SignatureDoesNotMatch"}`, ""},
		"an error without its code of old": {receive, `{"QueueUrl":"u"}`, 403, `{"__type":"SignatureDoesNotMatch"}`, "no code of old"},
		"an error of another":              {receive, `{"QueueUrl":"u"}`, 400, `{"__type":"com.amazonaws.sqs#EmptyBatchRequest"}`, "has no error"},
		"an error that is none":            {receive, `{"QueueUrl":"u"}`, 204, `{"__type":"QueueDoesNotExist"}`, "has no error"},
		"an operation that is not":         {"Receive", `{}`, 200, `{}`, "no target"},
		"a field that is missing":          {receive, `{}`, 200, `{}`, "/QueueUrl is missing"},
		"a field in an entry":              {remove, `{"QueueUrl":"u","Entries":[{"Id":"1"}]}`, 200, `{"Successful":[],"Failed":[]}`, "/Entries/0/ReceiptHandle is missing"},
		"a field that is not known":        {receive, `{"QueueUrl":"u","Max":1}`, 200, `{}`, "/Max is not known"},
		"a number that is a string":        {receive, `{"QueueUrl":"u","WaitTimeSeconds":"1"}`, 200, `{}`, "is no integer"},
		"a number with a fraction":         {receive, `{"QueueUrl":"u","WaitTimeSeconds":1.5}`, 200, `{}`, "/WaitTimeSeconds"},
		"a value that is not known":        {ask, `{"QueueUrl":"u","AttributeNames":["Length"]}`, 200, `{}`, "none of the values"},
		"a key that is not known":          {ask, `{"QueueUrl":"u"}`, 200, `{"Attributes":{"Length":"1"}}`, "none of the values"},
		"a string that is a number":        {ask, `{"QueueUrl":"u"}`, 200, `{"Attributes":{"ApproximateNumberOfMessages":1}}`, "is no string"},
		"a flag that is a string":          {remove, `{"QueueUrl":"u","Entries":[]}`, 200, `{"Successful":[],"Failed":[{"Id":"1","Code":"c","SenderFault":"true"}]}`, "is no boolean"},
		"an answer that lacks a field":     {remove, `{"QueueUrl":"u","Entries":[]}`, 200, `{"Successful":[]}`, "/Failed is missing"},
		"a list that is none":              {remove, `{"QueueUrl":"u","Entries":{}}`, 200, `{"Successful":[],"Failed":[]}`, "is no list"},
		"a null":                           {receive, `{"QueueUrl":null}`, 200, `{}`, "/QueueUrl"},
		"no document":                      {receive, `{"QueueUrl":"u"}`, 200, ``, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &heard{TB: t}
			judged := sqstest.Handler(h, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/x-amz-json-1.0")
				if c.status >= 400 && name != "an error without its code of old" {
					w.Header().Set("X-Amzn-Query-Error", "AWS.SimpleQueueService.Some;Sender")
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.answer)) // A recorder takes everything.
			}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(c.request))
			r.Header.Set("Content-Type", "application/x-amz-json-1.0")
			r.Header.Set("X-Amz-Target", "AmazonSQS."+c.op)
			w := httptest.NewRecorder()
			judged.ServeHTTP(w, r)
			if w.Code != c.status || w.Body.String() != c.answer {
				t.Errorf("the answer became %d %s", w.Code, w.Body)
			}
			said := strings.Join(h.said, "\n")
			if c.want == "" && said != "" || !strings.Contains(said, c.want) {
				t.Errorf("it says %q, want %q", said, c.want)
			}
		})
	}
}
