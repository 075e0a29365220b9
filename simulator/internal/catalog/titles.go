package catalog

// group is a group of entries, in the order in which they are shown.
type group int

const (
	groupMessages group = iota + 1
	groupFollower
	groupMenu
	groupJobs
	groupSubscriptions
	groupAgents
	groupUsers
	groupAccount
	groupCards
	groupStores
	groupMiniPrograms
	groupPlatform
	groupRetired
)

// byFollower reports whether the entries of a group are what a follower does.
func (g group) byFollower() bool { return g == groupMessages || g == groupFollower || g == groupMenu }

// name is what people call something.
type name struct{ zh, en string }

var groups = map[group]name{
	groupMessages:      {"消息", "Messages"},
	groupFollower:      {"关注与扫码", "Following and scanning"},
	groupMenu:          {"自定义菜单", "Menu"},
	groupJobs:          {"任务结果", "Results of jobs"},
	groupSubscriptions: {"订阅通知", "Subscription messages"},
	groupAgents:        {"客服", "Customer service"},
	groupUsers:         {"用户授权与资料", "Users' consent and data"},
	groupAccount:       {"账号认证", "Verification of the account"},
	groupCards:         {"卡券与发票", "Cards and invoices"},
	groupStores:        {"门店与导购", "Stores and guides"},
	groupMiniPrograms:  {"小程序", "Mini programs"},
	groupPlatform:      {"第三方平台通知", "Notices to third-party platforms"},
	groupRetired:       {"已下线的能力", "Retired"},
}

// title is an entry's name for people, and its group.
type title struct {
	name

	group group
}

var titles = map[string]title{
	"text":              {name{"文本", "Text"}, groupMessages},
	"text.from_article": {name{"文本（来自文章内的会话）", "Text from inside an article"}, groupMessages},
	"text.msgmenu":      {name{"文本（点选菜单消息）", "Text of a tapped menu message"}, groupMessages},
	"image":             {name{"图片", "Picture"}, groupMessages},
	"voice":             {name{"语音", "Voice"}, groupMessages},
	"voice.recognition": {name{"语音（带识别结果）", "Voice with its recognition"}, groupMessages},
	"video":             {name{"视频", "Video"}, groupMessages},
	"shortvideo":        {name{"小视频", "Short video"}, groupMessages},
	"location":          {name{"位置", "Location"}, groupMessages},
	"link":              {name{"链接", "Link"}, groupMessages},
	"file":              {name{"文件", "File"}, groupMessages},
	"miniprogrampage":   {name{"小程序卡片", "Mini-program card"}, groupMessages},

	"event:subscribe":         {name{"关注", "Follow"}, groupFollower},
	"event:subscribe.qrscene": {name{"扫带参数二维码关注", "Follow by a QR code with a scene"}, groupFollower},
	"event:unsubscribe":       {name{"取消关注", "Unfollow"}, groupFollower},
	"event:SCAN":              {name{"已关注者扫码", "Scan by a follower"}, groupFollower},
	"event:LOCATION":          {name{"上报地理位置", "Reported position"}, groupFollower},

	"event:CLICK":              {name{"点击菜单", "Menu press"}, groupMenu},
	"event:VIEW":               {name{"点击菜单跳转链接", "Menu link"}, groupMenu},
	"event:view_miniprogram":   {name{"点击菜单跳转小程序", "Menu to a mini program"}, groupMenu},
	"event:scancode_push":      {name{"扫码推事件", "Scan from the menu"}, groupMenu},
	"event:scancode_waitmsg":   {name{"扫码带提示", "Scan from the menu, waiting for a reply"}, groupMenu},
	"event:pic_sysphoto":       {name{"系统拍照发图", "Photograph from the menu"}, groupMenu},
	"event:pic_photo_or_album": {name{"拍照或相册发图", "Photograph or album from the menu"}, groupMenu},
	"event:pic_weixin":         {name{"微信相册发图", "WeChat's album from the menu"}, groupMenu},
	"event:location_select":    {name{"弹出地理位置选择器", "Place from the menu"}, groupMenu},

	"event:TEMPLATESENDJOBFINISH":               {name{"模板消息送达", "Template message delivered"}, groupJobs},
	"event:TEMPLATESENDJOBFINISH.user_block":    {name{"模板消息被拒收", "Template message refused by the user"}, groupJobs},
	"event:TEMPLATESENDJOBFINISH.system_failed": {name{"模板消息发送失败", "Template message failed"}, groupJobs},
	"event:MASSSENDJOBFINISH":                   {name{"群发结果", "Mass message sent"}, groupJobs},
	"event:PUBLISHJOBFINISH":                    {name{"发布成功", "Article published"}, groupJobs},
	"event:PUBLISHJOBFINISH.fail":               {name{"发布失败", "Article not published"}, groupJobs},
	"event:debug_demo":                          {name{"控制台推送测试", "Test of the developer console"}, groupJobs},

	"event:subscribe_msg_popup_event":  {name{"用户操作订阅通知弹窗", "Answer to a subscription's dialogue"}, groupSubscriptions},
	"event:subscribe_msg_change_event": {name{"用户管理订阅通知", "Change of a subscription"}, groupSubscriptions},
	"event:subscribe_msg_sent_event":   {name{"订阅通知送达", "Subscription message delivered"}, groupSubscriptions},

	"event:kf_create_session":            {name{"客服接入会话", "Conversation begins"}, groupAgents},
	"event:kf_close_session":             {name{"客服关闭会话", "Conversation ends"}, groupAgents},
	"event:kf_switch_session":            {name{"客服转接会话", "Conversation handed over"}, groupAgents},
	"event:user_enter_tempsession":       {name{"进入小程序客服会话", "Mini program's conversation entered"}, groupAgents},
	"event:user_enter_session_from_card": {name{"从卡券进入会话", "Conversation entered from a card"}, groupAgents},

	"event:user_info_modified":              {name{"授权用户资料变更", "Data of an authorising user changed"}, groupUsers},
	"event:user_authorization_revoke":       {name{"授权用户资料撤回", "Authorising user revokes"}, groupUsers},
	"event:user_authorization_cancellation": {name{"授权用户完成注销", "Authorising user closes the account"}, groupUsers},

	"event:qualification_verify_success": {name{"资质认证成功", "Qualification verified"}, groupAccount},
	"event:qualification_verify_fail":    {name{"资质认证失败", "Qualification not verified"}, groupAccount},
	"event:naming_verify_success":        {name{"名称认证成功", "Name verified"}, groupAccount},
	"event:naming_verify_fail":           {name{"名称认证失败", "Name not verified"}, groupAccount},
	"event:annual_renew":                 {name{"年审通知", "Annual renewal is due"}, groupAccount},
	"event:verify_expired":               {name{"认证过期失效", "Verification expired"}, groupAccount},

	"event:card_pass_check":                   {name{"卡券通过审核", "Card approved"}, groupCards},
	"event:card_not_pass_check":               {name{"卡券未通过审核", "Card refused"}, groupCards},
	"event:card_pay_order":                    {name{"券点流水", "Card points"}, groupCards},
	"event:card_sku_remind":                   {name{"卡券库存报警", "Stock of a card is low"}, groupCards},
	"event:card_merchant_check_result":        {name{"子商户审核", "Sub-merchant checked"}, groupCards},
	"event:user_get_card":                     {name{"领取卡券", "Card taken"}, groupCards},
	"event:user_gifting_card":                 {name{"转赠卡券", "Card given away"}, groupCards},
	"event:user_del_card":                     {name{"删除卡券", "Card deleted"}, groupCards},
	"event:user_consume_card":                 {name{"核销卡券", "Card redeemed"}, groupCards},
	"event:user_pay_from_pay_cell":            {name{"微信买单", "Payment with a card"}, groupCards},
	"event:user_view_card":                    {name{"进入会员卡", "Member card viewed"}, groupCards},
	"event:update_member_card":                {name{"会员卡内容更新", "Member card changed"}, groupCards},
	"event:submit_membercard_user_info":       {name{"会员卡激活", "Member card activated"}, groupCards},
	"event:giftcard_pay_done":                 {name{"礼品卡购买", "Gift card bought"}, groupCards},
	"event:giftcard_send_to_friend":           {name{"礼品卡赠送", "Gift card given"}, groupCards},
	"event:giftcard_user_accept":              {name{"礼品卡领取", "Gift card accepted"}, groupCards},
	"event:user_authorize_invoice":            {name{"用户授权开票", "Invoice authorised"}, groupCards},
	"event:update_invoice_status":             {name{"发票状态更新", "Invoice changed"}, groupCards},
	"event:submit_invoice_title":              {name{"提交发票抬头", "Invoice title given"}, groupCards},
	"event:cloud_invoice_invoiceresult_event": {name{"云票开具结果", "Cloud invoice issued"}, groupCards},

	"event:poi_check_notify":          {name{"门店审核", "Store checked"}, groupStores},
	"event:apply_merchant_audit_info": {name{"门店小程序资料审核", "Store mini program checked"}, groupStores},
	"event:create_map_poi_audit_info": {name{"地图门店审核", "Store on the map checked"}, groupStores},
	"event:add_store_audit_info":      {name{"创建门店审核", "New store checked"}, groupStores},
	"event:modify_store_audit_info":   {name{"修改门店审核", "Changed store checked"}, groupStores},
	"event:merchant_order":            {name{"小店订单付款", "Order paid"}, groupStores},
	"event:guide_qrcode_scan_event":   {name{"扫描导购二维码", "Guide's QR code scanned"}, groupStores},
	"event:guide_invite_result_event": {name{"导购邀请结果", "Guide invited"}, groupStores},

	"event:weapp_audit_success": {name{"小程序代码审核通过", "Code approved"}, groupMiniPrograms},
	"event:weapp_audit_fail":    {name{"小程序代码审核不通过", "Code refused"}, groupMiniPrograms},
	"event:weapp_audit_delay":   {name{"小程序代码审核延后", "Code review delayed"}, groupMiniPrograms},
	"event:wxa_nickname_audit":  {name{"小程序名称审核", "Name of a mini program checked"}, groupMiniPrograms},
	"event:wxa_category_audit":  {name{"小程序类目审核", "Category of a mini program checked"}, groupMiniPrograms},
	"event:wxa_privacy_apply":   {name{"小程序隐私接口申请", "Private interface applied for"}, groupMiniPrograms},

	"info:component_verify_ticket":          {name{"验证票据", "Verify ticket"}, groupPlatform},
	"info:authorized":                       {name{"授权成功", "Authorised"}, groupPlatform},
	"info:updateauthorized":                 {name{"更新授权", "Authorisation changed"}, groupPlatform},
	"info:unauthorized":                     {name{"取消授权", "Authorisation withdrawn"}, groupPlatform},
	"info:notify_third_fasteregister":       {name{"快速注册企业小程序", "Mini program registered"}, groupPlatform},
	"info:notify_third_fastregisterbetaapp": {name{"创建试用小程序", "Trial mini program made"}, groupPlatform},
	"info:notify_third_fastverifybetaapp":   {name{"试用小程序快速认证", "Trial mini program verified"}, groupPlatform},
	"info:notify_3rd_wxa_auth":              {name{"小程序认证进度", "Verification of a mini program"}, groupPlatform},
	"info:notify_3rd_wxa_wxverify":          {name{"小程序年审提醒", "Renewal of a mini program is due"}, groupPlatform},
	"info:notify_apply_icpfiling_result":    {name{"备案结果", "ICP filing decided"}, groupPlatform},
	"info:notify_icpfiling_verify_result":   {name{"备案人脸核身", "Face check for ICP filing"}, groupPlatform},
	"info:order_path_apply_result_notify":   {name{"订单页路径申请", "Order path applied for"}, groupPlatform},
	"info:order_path_audit_result_notify":   {name{"订单页路径审核", "Order path checked"}, groupPlatform},
	"event:ENTER":                           {name{"进入会话", "Chat entered"}, groupRetired},
	"event:WifiConnected":                   {name{"连接 Wi-Fi", "Wi-Fi joined"}, groupRetired},
	"event:ShakearoundUserShake":            {name{"摇一摇周边", "Shake nearby"}, groupRetired},
	"event:ShakearoundLotteryBind":          {name{"摇一摇红包", "Shake for a red packet"}, groupRetired},
}
