package interop

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/broadcast"
	"github.com/silenceper/wechat/v2/officialaccount/customerservice"
	"github.com/silenceper/wechat/v2/officialaccount/draft"
	"github.com/silenceper/wechat/v2/officialaccount/freepublish"
	"github.com/silenceper/wechat/v2/officialaccount/material"
	"github.com/silenceper/wechat/v2/officialaccount/menu"
	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/officialaccount/user"

	"github.com/wxstack/wxstack/simulator"
)

// TestSilencepersWholeSurface walks through what the SDK has beyond the usual: whatever the simulator answers must be
// what the SDK, which real accounts run on, can read.
func TestSilencepersWholeSurface(t *testing.T) {
	d := startDesk(t)
	account := d.silenceper(t)
	const follower = "oSilenceper"
	d.greet(follower)
	photo := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(photo, picture(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for topic, steps := range map[string][]step{
		"menus":  silenceperMenus(account.GetMenu(), follower),
		"agents": silenceperAgents(account.GetCustomerServiceManager(), follower, photo),
		"tags":   silenceperTags(account.GetUser(), follower),
		"users":  silenceperUsers(account.GetUser(), follower),
		"files":  silenceperFiles(account.GetMaterial(), photo),
		"drafts": silenceperDrafts(account, photo),
		"mass":   silenceperMass(account.GetBroadcast(), follower),
		"others": silenceperOthers(account, d, follower),
	} {
		t.Run(topic, func(t *testing.T) { take(t, steps) })
	}
}

func silenceperMenus(menus *menu.Menu, follower string) []step {
	buttons := []*menu.Button{
		menu.NewSubButton("更多", []*menu.Button{
			menu.NewViewButton("官网", "https://example.com/"), menu.NewScanCodeWaitMsgButton("扫码", "SCAN_1"),
			menu.NewPicPhotoOrAlbumButton("发图", "PIC_1"), menu.NewLocationSelectButton("位置", "PLACE_1"),
			menu.NewMiniprogramButton("小程序", "https://example.com/", "wx0000000000000009", "pages/index"),
		}),
		menu.NewClickButton("点我", "KEY_1"),
	}
	return []step{
		{name: "set", do: func() error { return menus.SetMenu(buttons) }},
		{name: "conditional", do: func() error {
			return menus.AddConditional([]*menu.Button{menu.NewClickButton("苹果", "IOS")}, &menu.MatchRule{ClientPlatformType: "1"})
		}},
		{name: "get", do: func() error {
			got, err := menus.GetMenu()
			return expect(err, len(got.Menu.Button) == 2 && len(got.Menu.Button[0].SubButtons) == 5 && len(got.Conditionalmenu) == 1, got)
		}},
		{name: "try", do: func() error {
			got, err := menus.MenuTryMatch(follower)
			return expect(err, len(got) == 2, got)
		}},
		{name: "self menu", do: func() error {
			got, err := menus.GetCurrentSelfMenuInfo()
			return expect(err, got.IsMenuOpen == 1 && len(got.SelfMenuInfo.Button) == 2 && len(got.SelfMenuInfo.Button[0].SubButton.List) == 5, got)
		}},
		{name: "delete conditional", do: func() error {
			got, err := menus.GetMenu()
			if err != nil || len(got.Conditionalmenu) == 0 {
				return expect(err, false, got)
			}
			return menus.DeleteConditional(got.Conditionalmenu[0].MenuID)
		}},
		{name: "delete", do: menus.DeleteMenu},
	}
}

func silenceperAgents(agents *customerservice.Manager, follower, photo string) []step {
	const agent = "ming@wxdev"
	return []step{
		{name: "add", do: func() error { return agents.Add(agent, "小明") }},
		{name: "rename", do: func() error { return agents.Update(agent, "大明") }},
		{name: "portrait", do: func() error { return agents.UploadHeadImg(agent, photo) }},
		{name: "invite", do: func() error { return agents.InviteBind(agent, "ming_weixin") }},
		{name: "list", do: func() error {
			got, err := agents.List()
			return expect(err, len(got) == 1 && got[0].KfAccount == agent && got[0].KfNick == "大明", got)
		}},
		{name: "online", do: func() error { _, err := agents.OnlineList(); return err }},
		{name: "typing", do: func() error { return agents.SendTypingStatus(follower, customerservice.Typing) }},
		{name: "no longer typing", do: func() error { return agents.SendTypingStatus(follower, customerservice.CancelTyping) }},
		{name: "delete", do: func() error { return agents.Delete(agent) }},
	}
}

func silenceperTags(users *user.User, follower string) []step {
	var id int32
	return []step{
		{name: "create", do: func() error {
			got, err := users.CreateTag("常客")
			if err == nil {
				id = got.ID
			}
			return err
		}},
		{name: "rename", do: func() error { return users.UpdateTag(id, "贵宾") }},
		{name: "tag", do: func() error { return users.BatchTag([]string{follower}, id) }},
		{name: "list", do: func() error {
			got, err := users.GetTag()
			return expect(err, len(got) == 2 && got[1].Name == "贵宾" && got[1].Count == 1, got)
		}},
		{name: "tagged", do: func() error {
			got, err := users.OpenIDListByTag(id)
			return expect(err, got != nil && len(got.Data.OpenIDs) == 1 && got.Data.OpenIDs[0] == follower, got)
		}},
		{name: "tags of one", do: func() error {
			got, err := users.UserTidList(follower)
			return expect(err, len(got) == 1 && got[0] == id, got)
		}},
		{name: "untag", do: func() error { return users.BatchUntag([]string{follower}, id) }},
		{name: "delete", do: func() error { return users.DeleteTag(id) }},
	}
}

func silenceperUsers(users *user.User, follower string) []step {
	return []step{
		{name: "remark", do: func() error { return users.UpdateRemark(follower, "老王") }},
		{name: "several", do: func() error {
			got, err := users.BatchGetUserInfo(user.BatchGetUserInfoParams{UserList: []user.BatchGetUserListItem{{OpenID: follower, Lang: "zh_CN"}}})
			return expect(err, got != nil && len(got.UserInfoList) == 1 && got.UserInfoList[0].Remark == "老王", got)
		}},
		{name: "all", do: func() error {
			got, err := users.ListAllUserOpenIDs()
			return expect(err, len(got) == 2, got)
		}},
		{name: "black", do: func() error { return users.BatchBlackList(follower) }},
		{name: "black list", do: func() error {
			got, err := users.GetAllBlackList()
			return expect(err, len(got) == 1 && got[0] == follower, got)
		}},
		{name: "white again", do: func() error { return users.BatchUnBlackList(follower) }},
		{name: "moved", do: func() error { _, err := users.ListChangeOpenIDs("wx0000000000000001", follower); return err }},
	}
}

func silenceperFiles(files *material.Material, photo string) []step {
	var picture, video string
	return []step{
		{name: "picture in an article", do: func() error {
			got, err := files.ImageUpload(photo)
			return expect(err, got != "", got)
		}},
		{name: "permanent picture", do: func() (err error) {
			var address string
			picture, address, err = files.AddMaterial(material.MediaTypeImage, photo)
			return expect(err, picture != "" && address != "", address)
		}},
		{name: "permanent video", do: func() (err error) {
			film := bytes.NewReader([]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"))
			video, _, err = files.AddVideoFromReader("a.mp4", "标题", "简介", film)
			return expect(err, video != "", video)
		}},
		{name: "list", do: func() error {
			got, err := files.BatchGetMaterial(material.PermanentMaterialTypeImage, 0, 20)
			return expect(err, got.TotalCount >= 1 && got.Item[0].MediaID == picture, got)
		}},
		{name: "count", do: func() error {
			got, err := files.GetMaterialCount()
			return expect(err, got.ImageCount >= 1 && got.VideoCount == 1, got)
		}},
		{name: "delete", do: func() error { return errors.Join(files.DeleteMaterial(picture), files.DeleteMaterial(video)) }},
	}
}

func silenceperDrafts(account *officialaccount.OfficialAccount, photo string) []step {
	drafts, published := account.GetDraft(), account.GetFreePublish()
	var id, article string
	var job int64
	write := func(title string) error {
		cover, _, err := account.GetMaterial().AddMaterial(material.MediaTypeImage, photo)
		if err == nil {
			id, err = drafts.AddDraft([]*draft.Article{{Title: title, Content: "<p>内容</p>", ThumbMediaID: cover}})
		}
		return err
	}
	return []step{
		{name: "add", do: func() error { return write("草稿") }},
		{name: "change", do: func() error {
			got, err := drafts.GetDraft(id)
			if err != nil || len(got) != 1 {
				return expect(err, false, got)
			}
			got[0].Title = "改过的草稿"
			return drafts.UpdateDraft(got[0], id, 0)
		}},
		{name: "count", do: func() error { got, err := drafts.CountDraft(); return expect(err, got == 1, got) }},
		{name: "list", do: func() error {
			got, err := drafts.PaginateDraft(0, 20, false)
			return expect(err, got.TotalCount == 1 && got.Item[0].Content.NewsItem[0].Title == "改过的草稿", got)
		}},
		{name: "publish", do: func() (err error) { job, err = published.Publish(id); return expect(err, job != 0, job) }},
		{name: "published", do: func() error {
			got, err := published.SelectStatus(job)
			article = got.ArticleID
			return expect(err, got.PublishStatus == freepublish.PublishStatusSuccess && article != "" && got.ArticleDetail.Count == 1, got)
		}},
		{name: "article", do: func() error {
			got, err := published.First(article)
			return expect(err, len(got) == 1 && got[0].Title == "改过的草稿" && got[0].URL != "", got)
		}},
		{name: "articles", do: func() error {
			got, err := published.Paginate(0, 20, true)
			return expect(err, got.TotalCount == 1, got)
		}},
		{name: "unpublish", do: func() error { return published.Delete(article, 0) }},
		{name: "delete", do: func() error { return errors.Join(write("另一篇"), drafts.DeleteDraft(id)) }},
	}
}

func silenceperMass(mass *broadcast.Broadcast, follower string) []step {
	var job int64
	return []step{
		{name: "to all", do: func() error {
			got, err := mass.SendText(nil, "大家好")
			if got != nil {
				job = got.MsgID
			}
			return expect(err, job != 0, got)
		}},
		{name: "state", do: func() error {
			got, err := mass.GetMassStatus(strconv.FormatInt(job, 10))
			return expect(err, got != nil && got.MsgID == job && got.MsgStatus != "", got)
		}},
		{name: "to some", do: func() error {
			_, err := mass.SendText(&broadcast.User{OpenID: []string{follower, simulator.DefaultFollower}}, "两位好")
			return err
		}},
		{name: "speed", do: func() error {
			if _, err := mass.SetSpeed(2); err != nil {
				return err
			}
			got, err := mass.GetSpeed()
			return expect(err, got != nil && got.Speed == 2, got)
		}},
		{name: "withdraw", do: func() error { return mass.Delete(job, 0) }},
	}
}

func silenceperOthers(account *officialaccount.OfficialAccount, d *desk, follower string) []step {
	templates := account.GetTemplate()
	var added string
	return []step{
		{name: "add template", do: func() (err error) {
			added, err = templates.Add("TM00015", []string{"订单", "状态"})
			return expect(err, added != "", added)
		}},
		{name: "templates", do: func() error { got, err := templates.List(); return expect(err, len(got) == 2, got) }},
		{name: "template", do: func() error {
			_, err := templates.Send(&message.TemplateMessage{
				ToUser: follower, TemplateID: added, Data: map[string]*message.TemplateDataItem{"keyword1": {Value: "一"}},
			})
			return err
		}},
		{name: "delete template", do: func() error { return templates.Delete(added) }},
		{name: "code of a text", do: func() error {
			ticket, err := account.GetBasic().GetQRTicket(basic.NewLimitQrRequest("柜台"))
			if err != nil {
				return err
			}
			result, err := d.Scan(d.t.Context(), ticket.Ticket, follower)
			return expect(err, result.Event == simulator.EventScan, result.Event)
		}},
		{name: "hosts", do: func() error { got, err := account.GetBasic().GetAPIDomainIP(); return expect(err, len(got) > 0, got) }},
		{name: "clear quota", do: account.GetBasic().ClearQuota},
		{name: "JS-SDK", do: func() error {
			const page = "https://example.com/page?a=b"
			signed, err := account.GetJs().GetConfig(page)
			if err != nil {
				return err
			}
			checked, err := d.CheckJSSDK(simulator.JSSDKSignature{
				URL: page, Timestamp: strconv.FormatInt(signed.Timestamp, 10), NonceStr: signed.NonceStr, Signature: signed.Signature,
			})
			return expect(err, checked.OK, checked)
		}},
	}
}

// expect makes an error of a condition that doesn't hold.
func expect(err error, holds bool, got any) error {
	if err == nil && !holds {
		err = fmt.Errorf("got %+v", got)
	}
	return err
}
