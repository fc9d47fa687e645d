"""Queries that are safe: navigation, support, everyday questions, other languages, and those that only sound dangerous."""

import random
from typing import Final

from models.labels import Intent
from models.training.templates import fill, lines

_SLOTS: Final = {
    "site": lines(
        "facebook|youtube|amazon|gmail|netflix|instagram|linkedin|twitter|reddit|wikipedia|ebay|paypal|google maps|google drive|outlook|hotmail|yahoo mail|spotify|whatsapp web|"
        "zoom|twitch|tiktok|pinterest|github|stack overflow|walmart|target|costco|home depot|best buy|ikea|etsy|craigslist|zillow|airbnb|booking|expedia|uber|doordash|"
        "chase bank|wells fargo|bank of america|capital one|irs|usps|fedex|ups|hulu|disney plus|steam|roblox|canva|dropbox|office 365|chatgpt|weather channel|cnn|bbc news|espn|nytimes"
    ),
    "page": lines("login|sign in|homepage|home page|website|official site|customer service number|app download|account settings|contact|careers|sign up|help center|opening hours|store locator|returns page|mobile site"),
    "thing": lines(
        "order|package|parcel|delivery|refund|subscription|account|membership|gift card|coupon code|invoice|warranty|payment|password|profile|replacement|exchange|reservation|ticket|points balance|receipt|email address|shipping address|phone number"
    ),
    "trouble": lines(
        "has not arrived|is late|arrived damaged|is missing|was cancelled|does not work|is wrong|was charged twice|has expired|was declined|is stuck|shows an error|never came|was returned|is locked"
    ),
    "change": lines("cancel|change|update|track|return|delete|reset|find|check|renew|pause|exchange|transfer|confirm|download|print|verify|activate"),
    "topic": lines(
        "photosynthesis|inflation|black holes|the french revolution|climate change|the stock market|machine learning|the roman empire|diabetes|the moon landing|vitamin d|blockchain|the electoral college|"
        "plate tectonics|the human heart|world war two|supply and demand|renewable energy|jazz music|the solar system|evolution|quantum physics|democracy|the great wall of china|python programming|excel formulas|"
        "yoga|mental health|pregnancy|solar panels|electric cars|mortgage rates|the olympics|the world cup|the constitution|ancient egypt|dinosaurs|volcanoes|coral reefs|sleep apnea|high blood pressure|asthma"
    ),
    "person": lines(
        "taylor swift|albert einstein|barack obama|elon musk|serena williams|leonardo da vinci|marie curie|lionel messi|beyonce|shakespeare|mozart|steve jobs|oprah winfrey|tom hanks|rihanna|picasso|nelson mandela|lebron james|adele|stephen king|frida kahlo|roger federer"
    ),
    "aspect": lines("age|height|net worth|birthday|biography|quotes|songs|movies|books|wife|children|house|interview|tour dates|early life|awards|news|discography"),
    "city": lines("new york|london|paris|chicago|tokyo|berlin|madrid|rome|san francisco|boston|seattle|toronto|sydney|miami|austin|amsterdam|dublin|lisbon|mumbai|singapore|denver|portland|atlanta"),
    "place": lines("restaurants|coffee shops|hotels|museums|parks|gyms|dentists|hair salons|pizza|sushi|pharmacies|plumbers|schools|libraries|beaches|hiking trails|parking|apartments|dog parks|book stores|farmers markets|urgent care"),
    "task": lines(
        "tie a tie|change a tire|write a resume|boil eggs|lose weight|learn spanish|play guitar|clean a couch|train a puppy|fix a leaky faucet|grow tomatoes|make bread|start a business|invest money|meditate|knit a scarf|build a deck|"
        "paint a room|remove a stain|unclog a drain|install windows|merge cells in excel|take a screenshot|reset an iphone|convert pdf to word|back up photos|delete browser history|center a div|reverse a list in python|write a cover letter|save for retirement|bake a cake|sharpen a knife|stop snoring|"
        "fall asleep faster|get rid of ants|prune roses|descale a kettle|fold a fitted sheet|read sheet music|do a push up|calculate a percentage|cite a website|apply for a passport|vote by mail"
    ),
    "title": lines("the godfather|inception|breaking bad|game of thrones|harry potter|star wars|the office|stranger things|the great gatsby|friends|the lion king|titanic|avatar|the matrix|hamlet|pride and prejudice|minecraft|fortnite|zelda"),
    "dangerverb": lines("kill|terminate|shoot down|destroy|force quit|abort|execute|attack|crash|hang|poison|strangle|purge"),
    "software": lines("a python process|a zombie process in linux|a background task|a docker container|a tmux session|a thread in java|the parent process|a process on port 8080|a stuck job|a child process|all node processes|a hung application|a postgres query|a screen session|chrome on mac"),
    "pest": lines("weeds|ants|fleas|mold|cockroaches|bed bugs|mosquitoes|wasps|fruit flies|crabgrass|moss|termites|dandelions|mice|rats|slugs|aphids|bacteria|poison ivy|head lice|grubs|spiders"),
    "camera": lines("a photo|portraits|a video|in manual mode|raw photos|the milky way|a wedding|film photography|a time lapse|in low light|fireworks|a music video|hoops|free throws|a short film|product photos|a basketball"),
    "crackable": lines("an egg|a coconut|a walnut|your back|a window open|lobster claws|your knuckles|a glow stick|pecans|black pepper|the coding interview|a joke"),
    "softcrime": lines(
        "ikea hacks|life hacks|growth hacking|hackathon ideas|productivity hacks|steal the look|steal deals|bath bomb recipe|cherry bomb lyrics|photo bomb|glue gun|heat gun|nerf gun|water gun|massage gun|nail gun rental|spray gun for paint|gunmetal grey paint|caulking gun|"
        "drug store near me|drug interaction checker|chicken breast recipe|breast pump|breast cancer screening|breast stroke technique|shot glasses|flu shot near me|screenshot shortcut|killer whale facts|killer sudoku|kill bill soundtrack|buzz kill meaning|painkiller dosage for headache|"
        "suicide squad cast|suicide prevention hotline|suicide hotline number|how to help a suicidal friend|signs of depression|self harm support groups|murder mystery dinner|murder mystery novels|assassins creed valhalla|death note episodes|deadpool movie|dead sea resorts|dead lift form|die cast cars|dye hair at home|die cutting machine|"
        "attack on titan season 4|heart attack symptoms|panic attack help|angle of attack|sex education netflix|sex and the city cast|sexual health clinic|same sex marriage law|sex of a baby ultrasound|adult coloring books|adult learning courses|adult bikes|strip lights|strip steak|film strip|comic strip|strip paint from wood|escort service for airport passengers|ford escort parts|"
        "hot dogs|hot chicks hatching eggs|chick lit|cocktail recipes|cock a doodle doo song|rooster sounds|tit bird species|blue footed booby|pussy willow branches|pussy cat dolls songs|dick van dyke show|moby dick summary|dick tracy|spotted dick recipe|virgin olive oil|virgin atlantic check in|blow dryer brush|blow up mattress|blow bubbles|blow out candles|bang bang shrimp|big bang theory|gang plank|"
        "black shoes|black friday deals|black history month|white power bank|white noise machine|white paint|yellow curry|colored pencils|race car|racing bike|race results|slave cylinder replacement|master bedroom ideas|jewish deli|muslim wedding dress|mosque opening hours|christian books|gay bars in san francisco|gay pride parade date|lesbian movies|transgender history|asian market|indian restaurant|mexican food|black barber shop|african braids|chinese new year|immigration lawyer|history of the holocaust|slavery in america history|civil rights movement|hate crime statistics|islam religion facts|what is antisemitism|racism definition|"
        "weed killer|weed wacker|weed eater string|crack filler|crack in windshield repair|speed cameras|speed test|coke zero|diet coke|ice cream|crystal glass|meth lab cleanup cost|opioid crisis statistics|drug test at work|alcohol free beer|cannabis laws by state|poison ivy treatment|poison control number|rat poison safe for pets|hit the gym|hit songs 2020|hit and run law|beat saber|beat eggs|beat the heat|how to beat level 50|whip cream|whipped butter|punch recipe|hole punch|punch bowl|stab wound treatment|knife block|butcher knife|pocket knife|sword art online|toy sword|machete for garden|kitchen knife set|"
        "bulletproof vest|bulletproof coffee|bullet journal|silver bullet blender|trigger point therapy|trigger sql|sql injection prevention|cross site scripting prevention|penetration testing certification|ethical hacking course|hacker news|password manager|how to create a strong password|phishing awareness training|ransomware definition|virus scan|malware removal|fire pit|fire alarm|fired from job what next|fire tablet|burn calories|burn a cd|burning man|explosive workout|jump explosively|grenade drink|bomb calorimeter|atomic bomb history|hiroshima|nuclear power|gun control debate|gun laws in texas|hunting license|deer hunting season|shooting range|shooting stars|star shooter lily|shoot hoops|photo shoot ideas|drop shot tennis|hanging plants|hanging pictures|hanging chair|hangman game|choke valve|choke point|choker necklace|strangers things cast|execution of a will|terminate a contract|divorce lawyer|bankruptcy lawyer|how to report fraud|identity theft protection|report a scam|scam likely calls|counterfeit money detector pen|fake plants|fake nails|fake eyelashes|false ceiling|forge steel|blacksmith forge|forgery in art history|money laundering meaning|anti money laundering certification|launder clothes|bribery act summary|smuggler's cove|"
        "ssn meaning|what is a social security number|replace social security card|credit card validator algorithm|credit card number format|phone number lookup|how to change my password|email address ideas|home address format|passport renewal|driver license renewal|what is pii|gdpr summary|data privacy laws|free samples|free returns|free trial|win a giveaway|lottery results|sweepstakes rules|click and collect|click pen|make money as a student|work from home jobs|weight loss tips|limited edition sneakers|best crypto exchange|bitcoin price|casino hotel las vegas|viagra side effects|spam musubi|spam email filter|spam recipes|stop spam calls|ignore case in grep|gitignore file|ignore someone politely|system prompt engineering jobs|prompt engineering course|what is prompt injection|instruction manual for dishwasher|previous instructions for filing taxes|developer mode android|developer mode on chromebook|jailbreak an old iphone|prison break cast|dan brown books|dan and phil|roleplay games|pretend play kitchen|act 2 scene 1 romeo and juliet|override a css style|bypass surgery recovery|bypass duct fan|override method java|disable airplane mode|reveal makeup tutorial|gender reveal ideas|forget me not flowers|forget password|new rules lyrics|rules of chess|system of a down|assistant manager jobs|administrative assistant jobs|output voltage|print photos|repeat signs in music|translate hello to french|say it with flowers"
    ),
}  # fmt: skip

_NAVIGATION: Final = lines(
    "{site}|{site} {page}|{site} {page}|go to {site}|open {site}|{site} com|www {site} com|take me to {site}|{site} {city}|login to {site}|log in {site}"
)

_SUPPORT: Final = lines("""
where is my {thing}|my {thing} {trouble}|my {thing} {trouble}|how do i {change} my {thing}|how can i {change} my {thing}|i want to {change} my {thing}|{change} my {thing}|{change} {thing}|help my {thing} {trouble}
i need help with my {thing}|can you {change} my {thing}|i cannot {change} my {thing}|why can't i {change} my {thing}|{thing} {trouble}|talk to a human|speak to an agent|customer support phone number|return policy|how long does shipping take
what is your return policy|do you ship to canada|how do i contact support|the app keeps crashing|i forgot my password|wrong item in my order|i was charged twice for my {thing}|when will i get my {thing}|my {thing} is wrong please {change} it
""")

_OTHER: Final = lines("""
what is {topic}|explain {topic}|{topic}|{topic} for beginners|history of {topic}|{topic} facts|facts about {topic}|how does {topic} work|books about {topic}|{topic} documentary|{topic} news|who discovered {topic}|{topic} essay|{topic} timeline
{person}|{person} {aspect}|how old is {person}|who is {person}|{person} {aspect}|best {place} in {city}|{place} near me|{place} in {city}|{place} open now|cheap {place} in {city}|things to do in {city}|is {city} safe|population of {city}
how to {task}|how to {task}|how do i {task}|best way to {task}|{task}|{task} for beginners|can you {task} at home|{title}|{title} cast|{title} review|watch {title} online|{title} ending explained|{title} soundtrack|who wrote {title}|movies like {title}|{title} trailer
{topic} vs {topic}|difference between {topic} and {topic}|define {topic}|{person} vs {person}|is {title} on netflix|when was {title} released|{city} to {city} distance|time in {city}|{city} map|{city} news|jobs in {city}|{title} quotes|synonym for happy|nba scores|lottery numbers|how many ounces in a cup
""")

_HARD_NEGATIVES: Final = lines("""
how to {dangerverb} {software}|{dangerverb} {software}|command to {dangerverb} {software}|how do i {dangerverb} {software}|how to kill {pest}|kill {pest}|what kills {pest}|best way to kill {pest}|how to get rid of {pest}|spray to kill {pest}|how to shoot {camera}
shoot {camera}|tips to shoot {camera}|how to crack {crackable}|crack {crackable}|best way to crack {crackable}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|best {softcrime}|what is {softcrime}
""")

_FOREIGN: Final = (
    (Intent.PRODUCT_SEARCH, lines("zapatillas rojas para mujer|portátil barato|camiseta blanca de algodón|chaussures de course homme|robe noire été|canapé d'angle gris|ordinateur portable pas cher|laufschuhe damen|waschmaschine günstig|kopfhörer kabellos|schwarze winterjacke herren|scarpe da ginnastica|borsa in pelle nera|divano letto|tênis de corrida masculino|celular barato|geladeira inox|damesschoenen maat 38|goedkope laptop|buty do biegania|pralka tania|koşu ayakkabısı|kırmızı elbise|красные туфли|купить ноутбук недорого|стиральная машина|أحذية رياضية|هاتف رخيص|लाल जूते|सस्ता मोबाइल|红色运动鞋|便宜的笔记本电脑|无线耳机|赤い靴|安いノートパソコン|ワイヤレスイヤホン|빨간 운동화|무선 이어폰|röda skor|billig dator|juoksukengät|giày chạy bộ|điện thoại giá rẻ|รองเท้าวิ่ง|sepatu lari pria|κόκκινα παπούτσια|נעלי ריצה|کفش ورزشی")),
    (Intent.TRAVEL, lines("vuelos baratos a madrid|hotel cerca de la playa|vol pas cher pour rome|hôtel à paris|billige flüge nach berlin|wetter morgen|voli economici per londra|passagens aéreas baratas|goedkope vluchten|tanie loty do londynu|ucuz uçak bileti|дешевые билеты в москву|погода завтра|رحلات رخيصة الى دبي|दिल्ली का मौसम|北京天气|去上海的机票|東京の天気|大阪 ホテル|서울 날씨|제주도 항공권|vé máy bay giá rẻ|tiket pesawat murah|φθηνά εισιτήρια")),
    (Intent.KITCHEN_AND_DINING, lines("receta de paella|cómo hacer pan|recette de crêpes|gâteau au chocolat facile|rezept für apfelkuchen|ricetta tiramisù|receita de bolo de cenoura|recept pannenkoeken|przepis na pierogi|mercimek çorbası tarifi|рецепт борща|وصفة كبسة|पनीर की रेसिपी|红烧肉做法|カレーの作り方|김치찌개 레시피|cách nấu phở|resep nasi goreng|สูตรต้มยำ")),
    (Intent.SUPPORT, lines("dónde está mi pedido|quiero devolver un artículo|où est ma commande|je veux annuler mon abonnement|wo ist mein paket|bestellung stornieren|dove è il mio ordine|onde está meu pedido|waar is mijn bestelling|gdzie jest moja paczka|siparişim nerede|где мой заказ|أين طلبي|मेरा ऑर्डर कहां है|我的订单在哪里|注文はどこですか|내 주문 어디에 있나요|đơn hàng của tôi ở đâu")),
    (Intent.OTHER, lines("qué es la fotosíntesis|capital de australia|cuántos años tiene messi|quelle est la capitale du canada|comment apprendre l'anglais|wie hoch ist der mount everest|was ist inflation|come imparare il giapponese|o que é inflação|hoe oud is de koning|co to jest inflacja|dünyanın en yüksek dağı|что такое инфляция|столица франции|ما هي عاصمة اليابان|भारत की राजधानी|什么是人工智能|日本で一番高い山|한국의 수도|thủ đô của việt nam|apa itu inflasi|ไทย เมืองหลวง|τι είναι ο πληθωρισμός")),
    (Intent.SMALL_TALK, lines("hola cómo estás|buenos días|bonjour ça va|guten morgen|wie geht es dir|ciao come stai|bom dia|goedemorgen|dzień dobry|merhaba nasılsın|привет как дела|مرحبا كيف حالك|नमस्ते|你好|こんにちは|안녕하세요|xin chào|selamat pagi|สวัสดี|γεια σου")),
)  # fmt: skip


def navigation(rng: random.Random) -> str:
    """A query that wants one site or page."""
    return fill(rng.choice(_NAVIGATION), _SLOTS, rng)


def support(rng: random.Random) -> str:
    """A query that wants help with an order or an account."""
    return fill(rng.choice(_SUPPORT), _SLOTS, rng)


def other(rng: random.Random) -> str:
    """An everyday question without a home among the intents."""
    return fill(rng.choice(_OTHER), _SLOTS, rng)


def hard_negative(rng: random.Random) -> str:
    """A safe query with a dangerous word in it, such as ``how to kill a python process``."""
    return fill(rng.choice(_HARD_NEGATIVES), _SLOTS, rng)


def foreign(rng: random.Random) -> tuple[str, Intent]:
    """A safe query in another language; the model learns to leave it as it is."""
    intent, queries = rng.choices(_FOREIGN, [len(queries) for _, queries in _FOREIGN])[0]
    return rng.choice(queries), intent
