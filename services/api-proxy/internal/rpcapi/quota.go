package rpcapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/wxstack/wxstack/chassis/fault"
	apiproxyv1 "github.com/wxstack/wxstack/proto/wxstack/apiproxy/v1"

	"github.com/wxstack/wxstack/services/api-proxy/internal/caller"
	"github.com/wxstack/wxstack/services/api-proxy/internal/forward"
	"github.com/wxstack/wxstack/services/api-proxy/internal/limit"
	"github.com/wxstack/wxstack/services/api-proxy/internal/target"
)

// quotaPath is the API that tells the limit of another (查询API调用额度).
const quotaPath = "/cgi-bin/openapi/quota/get"

// Ledger knows the calls of today.
type Ledger interface {
	Read(ctx context.Context, appID, endpoint string) limit.Entry
}

// GetQuota asks WeChat and the ledger. The ledger counts paths that the table lists together, such as
// /datacube/*, together; WeChat counts each for itself.
func (s *Server) GetQuota(ctx context.Context, req *apiproxyv1.GetQuotaRequest) (*apiproxyv1.GetQuotaResponse, error) {
	asked, err := target.Parse(req.GetPath())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "field path: %v", err)
	}
	e := s.calls.Endpoint(http.MethodPost, asked)
	if !e.Listed() {
		return nil, fault.New(fault.Invalid, "field path: %s is not in the endpoint table, so its calls are not counted apart; ask WeChat by Call of %s", asked.Path, quotaPath)
	}
	c, err := s.calls.Admit(ctx, forward.Call{
		Caller: caller.FromContext(ctx), AppID: req.GetAppId(), Method: http.MethodPost, Target: target.Target{Path: quotaPath},
	})
	if err != nil {
		return nil, err
	}
	path := e.Path // WeChat knows one spelling only.
	if strings.HasSuffix(path, "/*") {
		path = asked.Path
	}
	told, err := s.askQuota(ctx, c, path)
	if err != nil {
		return nil, err
	}
	// Not the ledger's own sum, which is raised to what WeChat counted.
	told.UsedByCaller = s.ledger.Read(ctx, c.AppID, e.Path).ByCaller
	for _, calls := range told.GetUsedByCaller() {
		told.Used += calls
	}
	return told, nil
}

// askQuota returns what WeChat says of a path.
func (s *Server) askQuota(ctx context.Context, c forward.Call, path string) (*apiproxyv1.GetQuotaResponse, error) {
	body, err := json.Marshal(map[string]string{"cgi_path": path})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "write question")
	}
	answer, err := s.send(ctx, c, body)
	if err != nil {
		return nil, err
	}
	var said struct {
		Quota *struct {
			Limit int64 `json:"daily_limit"`
			Used  int64 `json:"used"`
		} `json:"quota"`
	}
	told := &apiproxyv1.GetQuotaResponse{Errcode: answer.GetErrcode(), Errmsg: answer.GetErrmsg()}
	if told.GetErrcode() != 0 {
		return told, nil
	}
	if err := json.Unmarshal(answer.GetBody(), &said); err != nil || said.Quota == nil {
		// The error is withheld: it might quote the answer.
		return nil, fault.New(fault.Unavailable, "WeChat answered HTTP %d without a quota; ask again later", answer.GetHttpStatus())
	}
	told.DailyLimit, told.UsedAtWechat = said.Quota.Limit, said.Quota.Used
	return told, nil
}
