package forward

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protojson"

	messagev1 "github.com/wxstack/wxstack/proto/wxstack/message/v1"

	"github.com/wxstack/wxstack/services/logic/internal/reply"
	"github.com/wxstack/wxstack/services/logic/internal/route"
)

// maxSend is how many customer-service messages may follow: 微信公众平台 “客服消息”.
const maxSend = 5

// decode reads what a backend answers. Nothing at all, and an object without keys, are silence.
func decode(body []byte, toEvent bool) (route.Answer, error) {
	var got struct {
		Reply json.RawMessage              `json:"reply"`
		Send  []map[string]json.RawMessage `json:"send"`
		Pass  bool                         `json:"pass"`
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return route.Answer{}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil {
		return route.Answer{}, fmt.Errorf("must be a JSON object with the keys reply, send, pass: %w", plain(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return route.Answer{}, errors.New("something follows the JSON object")
	}
	if got.Pass {
		if len(got.Reply) > 0 || len(got.Send) > 0 {
			return route.Answer{}, errors.New("pass leaves the message to the next rule, so nothing can go with it")
		}
		return route.Answer{}, route.ErrPass
	}
	var answer route.Answer
	if len(got.Reply) > 0 && string(got.Reply) != "null" {
		made, err := content(got.Reply)
		if err == nil {
			err = reply.Check(made, toEvent)
		}
		if err != nil {
			return route.Answer{}, fmt.Errorf("reply: %w", err)
		}
		answer.Reply = made
	}
	if len(got.Send) > maxSend {
		return route.Answer{}, fmt.Errorf("send has %d messages; WeChat allows %d", len(got.Send), maxSend)
	}
	for i, entry := range got.Send {
		message, err := sent(entry)
		if err != nil {
			return route.Answer{}, fmt.Errorf("send[%d]: %w", i, err)
		}
		answer.Send = append(answer.Send, message)
	}

	return answer, nil
}

// content reads a reply as the proto has it: {"text": {"content": "…"}}.
func content(data []byte) (*messagev1.Reply, error) {
	made := &messagev1.Reply{}
	if err := protojson.Unmarshal(data, made); err != nil {
		return nil, errors.New(`must be an object such as {"text": {"content": "…"}} or {"image": {"media_id": "…"}}`)
	}

	return made, nil
}

func sent(entry map[string]json.RawMessage) (route.Message, error) {
	var message route.Message
	if account, has := entry["kf_account"]; has {
		if err := json.Unmarshal(account, &message.KfAccount); err != nil {
			return message, errors.New("kf_account must be a text")
		}
		delete(entry, "kf_account")
	}
	data, err := json.Marshal(entry)
	if err != nil {
		return message, err
	}
	if message.Content, err = content(data); err != nil {
		return message, err
	}
	if message.Content.GetTransferCustomerService() != nil || message.Content.GetTransferBizAiIvr() != nil {
		return message, errors.New("a transfer is a reply, it cannot be sent")
	}

	return message, reply.Check(message.Content, false)
}

// plain leaves out what the backend wrote, which an error of encoding/json may quote.
func plain(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("byte %d is no JSON", syntax.Offset)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is of the wrong type", kind.Field)
	}

	return err
}
