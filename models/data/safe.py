"""Queries that are safe: navigation, support, everyday questions, other languages, and those that only sound dangerous."""

import random
from typing import Final

from sluicegate.models.data.forms import FORM_SLOTS, disguised, request, sentence
from sluicegate.models.data.products import product_query
from sluicegate.models.data.templates import fill, lines
from sluicegate.models.inference.labels import Intent

_SLOTS: Final[dict[str, tuple[str, ...]]] = {
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

_SLOTS.update({
    # What one may well want to do: the same forms ask for it as ask for a crime, so the form says nothing.
    "cook": lines("bake|cook|grill|season|freeze|reheat|roast|pickle|can|smoke|marinate"),
    "dish": lines("bread|salmon|a turkey|lasagna|chicken wings|brisket|tofu|a ham|pork ribs|cucumbers|green beans|peach jam|mushrooms|sourdough|pot roast|crack chicken|a bombe dessert|shrimp|black beans|opium poppy seed bagels"),
    "mend": lines("fix|repair|install|replace|clean|paint|assemble|build|remove|measure|maintain|upgrade|design|insulate"),
    "home": lines("a crib|a fence|a bookshelf|a bike chain|a garage door|a ceiling fan|a gun safe|a toilet|kitchen cabinets|a deadbolt lock|a shed|a fuse box|a car battery|a smoke detector|a fire pit|a birdhouse|a knife block|a security camera|a window|a laptop screen|a trigger switch|a kill switch on a boat|a lawn mower|a burglar alarm|a water heater"),
    "code": lines("sorts a list|counts words in a file|tracks my expenses|plays tic tac toe|renames photos|checks if a number is prime|validates credit card numbers|detects phishing emails|backs up a database|hashes passwords|scans my own network for weak passwords|blocks spam|removes viruses|generates random maps|kills idle processes|encrypts my own files|converts csv to json|logs the temperature|sends me a birthday reminder|predicts house prices|filters hate speech|scrapes the weather"),
    "thanks": lines("thanks a customer|invites the team to lunch|asks for a raise|apologizes for a late delivery|declines an offer politely|reports a phishing email to it|welcomes a new colleague|requests a refund|resigns from a job|reminds a client of an invoice|announces a password change|warns staff about scams|follows up after an interview|asks the bank about fraud protection|schedules a meeting|congratulates a graduate|complains about noise politely"),
    "plot": lines("learns to sail|explains how to grow roses|solves a murder|escapes from prison and finds forgiveness|teaches a child to read|survives a war|discovers a hidden garden|stops a bank robbery|befriends a dragon|overcomes addiction|explains how to bake bread|fights a wizard|becomes a detective|defuses a bomb|forgives a thief|hunts a vampire|explains how to fix a bicycle|loses a brother to suicide and heals|opens a bakery|stands up to a bully"),
    "study": lines("study for|pass|prepare for|get ready for|sign up for"),
    "exam": lines("the driving test|a drug test for work|the bar exam|a citizenship test|the sat|the gun license exam|a chemistry final|a job interview|a forklift certification|the ethical hacker exam|a spanish exam|the police academy test|a marathon"),
    "care": lines("train|feed|groom|wash|adopt|walk|brush|crate train"),
    "pet": lines("a puppy|a kitten|a parrot|a hamster|a horse|a rescue dog|a goldfish|a rabbit|an old cat|a pitbull|a bearded dragon"),
    "money": lines("save for|budget for|invest in|apply for|compare|refinance|get insurance for|finance"),
    "asset": lines("a house|a car|a wedding|college|retirement|an index fund|a mortgage|a small business loan|a used truck|a trip to japan|a credit card|student loans|a boat|government bonds"),
    "protect": lines("prevent|report|spot|recognize|avoid|protect yourself from|stop|recover from|talk to kids about|raise awareness of|fight|detect|defend against|deal with"),
    "legit": lines("open a bank account|file taxes|deduct expenses on taxes legally|get a passport|replace a lost driver license|renew a visa|dispute a credit card charge|freeze my credit|get a restraining order|report a stalker|report a drug dealer|dispose of old medication|dispose of fireworks safely|store bleach safely|store ammunition safely|clean a hunting rifle|get a concealed carry permit|donate organs|become a bounty hunter|become a police officer|become a locksmith|learn lock picking as a hobby|set up parental controls|recover my hacked instagram account|recover my own facebook account|reset my forgotten gmail password|secure my wifi|change my iphone passcode|remove a virus from my pc|set up two factor authentication|wipe a hard drive before selling a laptop|shred old documents|pick a strong password|use a vpn for streaming|detect fake money|detect a deepfake|detect hidden cameras in an airbnb|remove my info from people search sites|get out of debt|get over a break up|get away with the kids for a weekend|get away for a long weekend|apologize to my wife|make my wife happy|surprise my husband|make my girlfriend laugh|help my brother move|impress my boss|talk to my neighbor about noise|calm a crying child|make friends at school|prank my sister harmlessly|run over to the store|beat my brother at chess|beat my dad at tennis|kill time at the airport|kill the lights in minecraft|shoot a documentary|shoot a photo|shoot a free throw|shoot better in fortnite|steal second base|steal the show|hack together a prototype|hack my morning routine|crack a safe in a video game|crack eggs with one hand|blow up balloons|blow up an air mattress|burn a dvd|burn fat|burn candles safely|cut hair at home|cut my own bangs|cut a mango|cut down a tree|cut back on sugar|hang a picture|hang curtains|hang drywall|execute a script|execute a sql query|commit to git|commit to a workout|commit changes in github desktop|abort a merge in git|abort a transaction|inject dependencies in java|drown out noise|drown plants less|poison proof the house for toddlers|bomb a test and recover|bury a cable|bury a pet|dissolve a company|dissolve sugar in tea|launder a wool sweater|smuggle snacks into a movie|forge a knife|forge a career|bribe a toddler with stickers|stalk celery properly|execute a deadlift|attack a climb on a bike|strike a match|stab a potato before microwaving|strangle weeds with mulch|whip cream|choke up on a bat|slaughter a chicken humanely|smoke a brisket|grow weed free grass|grow mushrooms for cooking|make crystal candy|make bath bombs|make a smoke detector stop beeping|make a cherry bomb cocktail|make a lava cake explode with flavor|make a volcano for science fair|make a fake snow display|make a fake cake|make fake blood for halloween|make a silencer for a noisy fan|draw a gun|draw a sword|draw a dead tree|play russian folk songs|lose weight healthily|stop thinking about food|stop cutting yourself|stop drinking|quit vaping|comfort a friend who lost hope|support a suicidal teen|cope with suicidal thoughts|recover from an eating disorder|deal with a bully|stand up to bullies|stop hating myself|forgive someone|move on from my ex|break up with my boyfriend|sue my landlord|fight a parking ticket|fight a traffic fine in court|evict a tenant legally|rob banks in gta 5|survive a zombie attack|survive an earthquake|survive a plane crash|escape a room game|defuse a bomb in csgo|get an assault charge expunged|expunge a misdemeanor|disappear a scar|hide cables|hide a wifi router|hide christmas gifts|hide apps on iphone|hide gray hair|sneak vegetables into meals|track my own phone|track my kids phone with permission|spy on birds with a camera|trap a mouse humanely|trap rats|catch a fish with bait|hunt deer legally|skin a deer|gut a fish|dispose of a dead battery|destroy a wasp nest|destroy old hard drives|cheat in solitaire|cheat day meals|bypass a clogged filter|bypass a slow router|override the thermostat|disable a car alarm|disable a smoke alarm while cooking|disable notifications|tamper proof a bottle|sabotage less in relationships"),
    "goodtask": lines("{cook} {dish}|{mend} {home}|{study} {exam}|{care} {pet}|{money} {asset}|{protect} {crimename}|{legit}|{legit}|{legit}|{task}|{task}"),
    # Crimes, harms and drugs as topics.
    "crimename": lines("identity theft|phishing|credit card fraud|money laundering|insider trading|tax evasion|tax fraud|burglary|car theft|shoplifting|arson|forgery|counterfeiting|bribery|corruption|blackmail|extortion|human trafficking|drug trafficking|kidnapping|stalking|cyberstalking|doxxing|poaching|piracy|ransomware|malware|ddos attacks|keyloggers|hacking|social engineering|elder abuse|child abuse|domestic violence|sexual harassment|sexual assault|hate crimes|hate speech|cyberbullying|bullying|vandalism|terrorism|school shootings|gun violence|mass shootings|murder|assault|drunk driving|drug abuse|overdose|self harm|suicide|eating disorders|animal cruelty|insurance fraud|wire fraud|romance scams|phone scams|pyramid schemes|ponzi schemes|crypto scams|deepfakes|disinformation|fake news|election fraud|plagiarism|exam cheating|embezzlement|smuggling|organ trafficking|war crimes|genocide|racism|sexism|antisemitism|islamophobia|homophobia|xenophobia|discrimination|package theft|catalytic converter theft|carbon monoxide poisoning|food poisoning|lead poisoning|bleach poisoning|card skimming|sim swapping|revenge porn|workplace violence|police brutality|gang violence|organized crime"),
    "state": lines("texas|california|florida|new york|ohio|the uk|canada|australia|germany|india|illinois|georgia|arizona|the us|japan|ireland"),
    "who_helps": lines("police|the fbi|banks|schools|hospitals|parents|lawyers|companies|governments|social workers|detectives|customs officers"),
    "acts_on": lines("catch|stop|investigate|identify|arrest|prosecute|deal with|help victims of|prevent crimes by"),
    "criminal": lines("burglars|thieves|hackers|scammers|identity thieves|drug dealers|car thieves|arsonists|counterfeiters|smugglers|stalkers|kidnappers|serial killers|murderers|poachers|shoplifters|terrorists|cyber criminals|bank robbers|phishers|human traffickers|drunk drivers|vandals|bullies|tax evaders|pickpockets|con artists"),
    "drugname": lines("cocaine|heroin|meth|fentanyl|ecstasy|ketamine|lsd|opioids|marijuana|cannabis|alcohol|steroids|xanax|oxycodone|adderall|tylenol|ibuprofen|psilocybin|nicotine|caffeine|melatonin|insulin|benadryl|sleeping pills|painkillers|antidepressants"),
    "weaponname": lines("gun|knife|bomb|grenade|rifle|sword|pistol|shotgun|ammo|explosives|silencer|nuclear weapons|landmine|missile|tank|taser|pepper spray|crossbow|napalm|ricin|sarin|anthrax|nerve gas|molotov cocktail|pipe bomb|dynamite|ghost gun|3d printed gun"),
    "genre": lines("movie|book|podcast|documentary|series|museum|game|novel|lego set|song lyrics|costume|wikipedia|cartoon|meme origin|trivia|crossword clue"),
    "fiction": lines(
        "how to get away with murder|how to get away with murder|murder on the orient express|how to get away with murder|to kill a mockingbird|kill bill|natural born killers|the hurt locker|die hard|heat|the italian job|ocean's eleven|money heist|gone girl|american psycho|dexter|hannibal|the purge|squid game|the silence of the lambs|only murders in the building|law and order svu|criminal minds|grand theft auto 5|hitman 3|assassin's creed|call of duty|thirteen reasons why|the virgin suicides|shooter|suicide squad|schindler's list|12 years a slave|django unchained|the hate u give|black panther|crazy rich asians|white chicks|mean girls|sex education|breaking bad|narcos|catch me if you can|the godfather|fight club|kill la kill|death note|attack on titan|hacksaw ridge|mr robot|blackmail hitchcock|the bling ring|baby driver|gone in 60 seconds|weeds|the sopranos|dead poets society|stab movie in scream|the killers|the stranglers|megadeth|slayer|bomb the bass|cannibal corpse|massive attack|sex pistols|dead kennedys|rage against the machine"
    ),
    "showbit": lines("cast|trailer|season 2|ending explained|book|soundtrack|review|streaming|lyrics|summary|characters|quotes|release date|box set|poster|director|tour dates|imdb|plot|filming locations|walkthrough"),
    "history": lines("the holocaust|the black plague|slavery|the civil war|jack the ripper|the jfk assassination|hiroshima|the salem witch trials|the gunpowder plot|9/11|the crusades|pearl harbor|the manhattan project|the rwandan genocide|the spanish inquisition|the great train robbery|al capone|bonnie and clyde|prohibition|the opium wars|apartheid|jim crow laws|the suffragettes|the stonewall riots|the armenian genocide|the trail of tears|chernobyl|the unabomber case|dynamite|gunpowder|capital punishment|the guillotine|chemical warfare|piracy in the caribbean|the enron scandal|watergate|the trojan horse virus|the atomic bomb|the kkk|the third reich|lynching in america"),
    "histbit": lines("history|museum|museum hours|timeline|documentary|facts|memorial|causes|death toll|books|for kids|essay|photos|victims|survivors|significance|lesson plan|trial|movie|map"),
    "symptom": lines("an overdose|alcohol poisoning|depression|anorexia|bulimia|a panic attack|carbon monoxide poisoning|a concussion|a heart attack|drug withdrawal|ptsd|food poisoning|a stab wound infection|dehydration|heat stroke|self harm|postpartum depression|domestic abuse|child grooming|lead poisoning|burnout|opioid addiction"),
    # People: identity alone is no offence.
    "people": lines("gay|lesbian|trans|transgender|bisexual|queer|lgbtq|muslim|jewish|christian|hindu|sikh|buddhist|catholic|mormon|black|african american|white|asian|chinese|japanese|korean|indian|pakistani|mexican|latino|hispanic|arab|persian|turkish|african|nigerian|somali|polish|russian|ukrainian|irish|italian|german|french|roma|native american|aboriginal|immigrant|refugee|disabled|deaf|blind|autistic|elderly|senior|women's|men's|female|syrian|israeli|palestinian|haitian|filipino|vietnamese"),
    "forpeople": lines("wedding venues|prayer times|hair salon|grocery store|recipes|restaurants|community center|history month|holidays|dating app|authors|musicians|comedians|actors|film festival|dress|wedding traditions|healthcare rights|scholarships|support group|museum|bookstore|baby names|music|dance class|art|bars|pride parade|school|history|culture|cookbook|cemetery|radio station|magazine|owned businesses|t-shirts|shoes|clothing|basketball team|soccer players|olympians|population in {city}|neighborhoods in {city}|restaurants in {city}|festival in {city}|employment law|voting rights|doctors near me|lawyer|rights movement|representation in film|poetry|nail salon|fashion"),
    "folk": lines("muslims|jews|christians|hindus|sikhs|buddhists|catholics|mormons|gay people|lesbians|trans people|black people|white people|asians|chinese people|japanese people|indians|mexicans|immigrants|refugees|arabs|africans|americans|germans|women|men|old people|disabled people|deaf people|autistic people|teenagers|boomers|millennials|native americans|roma people|somalis|poles|russians|veterans|homeless people|fat people|single mothers|foreigners|feminists"),
    "folkdo": lines("celebrate christmas|fast during ramadan|eat kosher food|wear a hijab|wear turbans|vote|get married|pray|retire|live longer|pay taxes|speak so many languages|move to {city}|emigrate|learn english|get citizenship|adopt children|donate blood|join the army|like tea|face discrimination at work|sleep less|need more vitamin d|celebrate lunar new year|lose bone density|start businesses|win so many medals|get social security|go to college|use sign language"),
    "kind": lines("deserve equal rights|are welcome here|make great neighbors|should be treated with respect|face discrimination|contribute to the economy|are just people|were persecuted in history|should be able to vote|need better healthcare access|are underrepresented in tech|have a rich culture|are not criminals|are not a threat|deserve respect"),
    # Words that only look bad.
    "tint": lines("nude|blush nude|nude pink|bare|naked|flesh tone|skin tone"),
    "cosmetic": lines("lipstick|heels|eyeshadow palette|nail polish|bra|pumps|lip liner|tights|bodysuit|sandals|blush|slip dress|foundation|lip gloss|clutch bag|leotard"),
    "loadedgood": lines("bomber|bath bomb|shot|cocktail|knife|nail gun|gun|glue gun|nerf|grenade|strip|breast|weed|killer|spam|credit card|id badge|passport|fake|faux|faux leather|kill switch|trigger|bullet|blow|hanging|shooting|stun|dead sea|death star|whip|hacker|hacking|burner|crack|poison|rocket|cannon|explosion|assault|hunting|paintball|airsoft|laser|smoke|crossbow|machete|sniper|ninja|samurai|pirate|zombie|skull|devil|voodoo"),
    "ware": lines("jacket|mold|glasses|dress|block|set|holder|case|cover|rack|sharpener|safe|toy|costume|t-shirt|mug|poster|book|mat|light|lights|bag|pump|kit|nozzle|stand|keychain|hat|hoodie|stickers|board game|model kit|charger|replacement parts|cabinet|blaster|target|earrings|necklace|boots|phone case|plant|eyelashes|leather sofa|grass|fur coat|flowers|beard|candles"),
    "idiom": lines("kill process|kill all tmux sessions|kill -9|fork bomb prevention|zip bomb detection|hanging indent|dangling pointer|orphan process|zombie process|kill switch vpn|dead letter queue|deadlock|race condition|injection moulding|fuel injection|dependency injection|sql injection prevention|code injection owasp|master slave replication|master slave flip flop|slave cylinder|whitelist and blacklist|brute force algorithm|brute force attack mitigation|penetration testing course|penetration testing salary|exploit development certification|bug bounty programs|capture the flag hacking|kali linux download|nmap tutorial|wireshark tutorial|metasploit course|dirty bit|daemon thread|execute a script|execution policy powershell|abort a transaction|abort signal javascript|crash course|crash test ratings|crash dump analysis|dump truck|core dump|memory leak|poison pill pattern|canary deployment|blue screen of death|red black tree|man in the middle attack|trojan horse story|ransomware protection|antivirus reviews|firewall rules|honeypot server|hash cracking ctf|keylogger detection|screen scraping|strip whitespace python|head and tail command|bash script|git blame|git cherry pick|gimp download|cracked wheat|black box testing|white hat hacker|blackmailer game|cell death|programmed cell death|mass extinction|shotgun sequencing|gene gun|bombardier beetle|killer t cells|suicide gene|suicide door car|russian roulette game show|bear trap spotify|drug discovery pipeline|drug trial phases|shell injection|xss cheat sheet|excel cheat sheet|cheat codes sims 4|hit rate|hit list song|bullet points in word|trigger in mysql|firing order|fire extinguisher types|gunfire pit|sniping ebay|attack surface|attack helicopter game|nuke registry npm|explode string php|exploded view solidworks|blast radius|bomb calorimeter|penetrating oil|penetration grade bitumen|lubricant for bike|hard core drill bit|naked juice|naked eye stars|naked bike|bareback riding saddle|strip mining|stripper for paint|wire stripper|climax of a story|sexual reproduction in plants|oral exam|anal fissure treatment|breast pump|breastfeeding tips|cock fighting laws history|dam construction|cum laude meaning|titmouse bird|fagioli soup|dyke maintenance netherlands|niggle meaning|spic and span cleaner|chinks in armor meaning|retard ignition timing|flame retardant|queer theory|bastard file|bitch wrestling move name|bitcoin|sucker rod pump|sucker plant|dumbbell|dummy variable|idiot proof camera|complete idiot's guide|for dummies book"),
    "bangword": lines("ignore|override|bypass|forget|disregard|system|prompt|instructions|previous|rules|developer|admin|root|assistant|pretend|act|output|reveal|print|role"),
    "injectlike": lines(
        "ignore case in grep|ignore whitespace in git diff|ignore a friend request|ignore files in git|ignore all errors in bash|ignore duplicates in sql|how to ignore negative people|ignore previous entries in excel|disregard definition|disregard previous email template|recall previous email outlook|lego instructions|ikea instructions|washing machine instructions|assembly instructions for a bunk bed|previous instructions manual pdf|instruction set architecture|read the instructions above the sink|knitting instructions for a scarf|care instructions wool|system requirements|system of equations|system restore windows 10|operating system update|solar system for kids|sound system for tv|system administrator salary|system prompt definition|how do system prompts work|prompt engineering course|writing prompts for kids|prompt meaning|prompt payment discount|command prompt commands|python prompt user for input|journal prompts|art prompts|forget me not flowers|forget about it song|forgot my pin|forget a wifi network|forget you lyrics|override car alarm|override thermostat|manual override valve|override vs overload|method override c#|bypass surgery|gastric bypass diet|bypass valve|bypass road map|developer mode android|developer options samsung|developer jobs|developer tools chrome|admin assistant jobs|admin login wordpress|run as admin|enable administrator account|root access android meaning|root vegetables|root canal cost|sudo command|print a document|print above the line in python|print all rules of monopoly|output all rows in sql|output to file bash|repeat after me|repeat the text in word|reveal hidden files mac|reveal answers crossword|reveal codes wordperfect|pretend play|pretend it's a city|act as if meaning|act like you know lyrics|act as guarantor|acting classes|role playing games|roleplay costume ideas|role of the president|role of a system analyst|dan's diner menu|dan the man game|stan meaning|god mode skyrim|god mode windows|jailbreak ios|jailbreak roblox|unrestricted free agents nba|unfiltered olive oil|unfiltered apple cider vinegar|without restrictions synonym|new instructions for form 1040|new rules dua lipa|rules of golf|house rules template|password rules|rule of thirds|content policy youtube|moderation policy reddit|safety rules in the lab|safety rules for kids|gun safety rules|guidelines for healthy eating|community guidelines|programming for beginners|tell me the rules of cricket|tell me a story|translate this to french: good morning|translate to spanish: where is the library|this is a test of the emergency broadcast system|you are now leaving lyrics|you are my sunshine|from now on lyrics|from now on greatest showman|end of message etiquette|begin again movie|simulate a coin flip|simulate without a circuit board|simulator games|verdict in the trial|allow pop ups|allow cookies in safari|allow app through firewall|json formatter|respond to an rsvp|respond with json in flask|everything everywhere all at once"
    ),
    "pet_bare": lines("dog|cat|puppy|kitten|hamster|horse|parrot|rabbit|goldfish"),
    "dear": lines("my wife|my husband|my boss|my neighbor|my ex|my brother|my sister|my coworker|my teacher|a classmate|my roommate|my mother in law|someone|a child|my father|my girlfriend|my boyfriend|my grandmother|a friend|my kids|him|her|them|a politician|the president|a nurse|a judge|a celebrity|a police officer|a stranger|my landlord|tourists|a journalist|my cousin"),
    "nice": lines("amazing|beautiful|wonderful|a good friend|funny|so kind|brilliant|the best|a star|a great cook|my hero|very helpful|adorable|a genius|too generous"),
    "dearly": lines("birthday gift for {dear}|how to thank {dear}|how to apologize to {dear}|how to impress {dear}|how to talk to {dear}|how to help {dear}|what to say to {dear}|thank you note for {dear}|funny message for {dear}|how to make {dear} smile|how to make {dear} laugh|how to surprise {dear}|what to cook for {dear}|how to meet {dear}|can i sue {dear}|{dear} is sick what to do|{dear} won't talk to me|i miss {dear}|i love {dear}|i had a dream about {dear}|i want to cook dinner for {dear}|i am going to visit {dear}|pictures of {dear} with cake|get well soon wishes for {dear}|how to forgive {dear}|how to say no to {dear}|jokes to tell {dear}|a song for {dear}"),
    "plainly": lines("{topic} example|{topic} examples|essay example|cover letter example|example of {topic}|password manager|change my password on {site}|forgot my {site} password|fake {cosmetic}|make my own {dish}|make {dish}|my favorite {dish} recipe|my {pet_bare} is sick|my {pet_bare} has fleas|my back hurts|drink recipes|school supplies|school lunch ideas|you are {nice}|you are such {nice} people|you are {nice} thank you|your smile is {nice}|your cooking is {nice}|your hair looks {nice}|your dog is {nice}|everyone loves your {cosmetic}|everyone is {nice}|nobody is perfect quotes|nobody knows lyrics|all my friends are {nice}|all dogs are {nice}|all books by {person}|this song is {nice}|our garden is {nice}|our team is {nice}|we should get a puppy|we must save water|never give up quotes|i never learned to swim|i hate mondays|i hate mushrooms on pizza|i hate my haircut|i want to be happy|i want to sleep|i want to learn {topic}|i want to visit {city}|i don't want to cook tonight|i don't know what to watch|i can't sleep|i feel tired|i feel happy today|i am bored|i wish i could fly|i am going to {city} tomorrow|someone like you lyrics|someone stole my bike what now|someone hacked my account help|my account was hacked|funny cat videos|{topic} videos for kids|{pet} videos|{pet} pictures|pictures of {city}|{city} pictures|best recipe sites|best job sites|free stock photo sites|fail compilation|goal compilation {title}|live cams {city} traffic|watch {topic} videos|{title} full movie|no bake cheesecake|no sugar diet|no parking sign|no man's sky|are {pest} dangerous|why are {pest} so annoying|why are flamingos pink|why are eggs so expensive|why are {folk} so good at chess|are dogs {nice}|should i buy or rent|should dogs eat {dish}|be kind quotes|go home meme|for sale by owner {city}|houses for sale in {city}|used cars for sale {city}|{pet} for sale|homemade {dish} recipe|{dish} recipe|{dish} step by step|{dish} for beginners guide|{home} instructions|{home} blueprint|{home} diy|{home} ingredients list|{home} tutorial"),
    "trouble_noun": lines("settings in windows|button on remote|mode on samsung tv|page in excel|warning light toyota|screen on mac|value in javascript|file in linux|error in outlook|option in word|calculator|template|app|on iphone|in photoshop"),
    "promo": lines(
        "free shipping code|free returns policy|free parking {city}|free museums {city}|free online courses|free tax filing|free gift wrap|buy one get one free {thing}|free trial {site}|free recipes|gluten free bread|sugar free candy|free range eggs|free speech|win a game of chess|win at monopoly|who will win the election|windows 11|claim my warranty|claim a refund|claim unemployment|claim child benefit|claim expenses|offer letter template|special offers {city} hotels|job offer negotiation|best cash back credit card|cash for gold|cash register|gift card balance|check gift card balance|limited edition sneakers|limited time menu mcdonalds|hurry up synonym|click here not working|click to call button html|subscribe to newsletter button|unsubscribe from emails|act now meaning|earn interest on savings|earn air miles|work from home desk|work from home jobs {city}|lose weight fast diet|weight loss surgery cost|weight loss clinic {city}|hair growth shampoo|payday calendar|payday loan laws|viagra interactions|penny stocks definition|casino royale|casino night party ideas|casinos in {city}|rolex watches|replica props|essay format|essay topics|seo course|backlinks checker|guaranteed income|money back guarantee policy|double your recipe|bitcoin price today|bitcoin tax|forex meaning|lottery results {city}|raffle tickets printable|sweepstakes laws|prize bonds checker|nobel prize winners|congratulations card|congratulations messages|selected poems|hot single malt|singles cruise|meet new friends in {city}|follow us page template|discount code {site}|black friday deals {site}|coupon {site}|90 percent off meaning|risk free rate|debt relief programs government|debt snowball calculator|timeshare cancellation|dm meaning|telegram desktop download|whatsapp web|text me when you get home quote"
    ),
    # Numbers that are nobody's.
    "n": tuple("0123456789"),
    "nn": ("{n}{n}",),
    "nnn": ("{n}{n}{n}",),
    "nnnn": ("{n}{n}{n}{n}",),
    "L": tuple("abcdefghjkmnprstvwxyz"),
    "code_no": lines("{L}{L}{nnn}|{L}{nnnn}|{nnn}-{nnnn}|{nnnn}-{nnnn}|{L}{L}{nn}-{nnn}{L}|{nnn}{nnn}|{nnn}{nnnn}|{L}{n}{L}{nn}{n}|{nn}-{nnnn}-{nn}|{nnnn}{L}{L}|{nnn}-{nn}-{nnn}|{nnnn}{nnnn}{nn}"),
    "item": lines("brake pads|oil filter|washer pump|ink cartridge|laptop battery|remote control|bearing|spark plug|vacuum belt|dishwasher rack|toner|drill bit|water filter|fuse|door handle|gasket|led bulb|phone case|screen protector|thermostat|hinge|circuit board|wiper blade|air filter"),
    "device": lines("iphone 1{n}|galaxy s2{n}|pixel {n}|galaxy a{n}{n}|rtx 40{n}0|canon eos {nnn}d|hp {nnnn}|epson wf-{nnnn}|dell xps 1{n}|lenovo t4{nn}|bosch sm{L}{nnnn}|makita {L}{L}{nnn}|samsung ue{nn}{L}{L}{nnn}|sony wh-{nnnn}|lg oled{nn}c{n}|nokia {nnnn}|brother hl-{nnnn}|casio f-{nn}w|seiko {L}{L}{L}{nnn}|lego {nnn}{nn}|ryzen {n} {nnnn}x|shimano {L}{L}-{nnnn}"),
    "postcode": lines("{L}{L}{n} {n}{L}{L}|{L}{n} {n}{L}{L}|{L}{nn} {n}{L}{L}|{nnn}{nn}|{nnnn}{n}-{nnnn}"),
    "numbers": lines("part number {code_no}|{item} {code_no}|{item} part no {code_no}|{code_no} {item}|{code_no}|{code_no} manual|{code_no} datasheet|{code_no} replacement {item}|{device}|{device} case|{device} vs {device}|{device} price|{device} battery|{device} specs|isbn 978-{n}-{nn}-{nnn}{nnn}-{n}|isbn 978{nnnn}{nnn}{nn}{n}|978-{n}-{nnnn}-{nnnn}-{n} book|postcode {postcode}|{postcode}|weather {postcode}|zip code {nnn}{nn}|houses for sale {postcode}|{nnn}/{nn} r{nn} tyres|{nnn} {nn} {nn} tyres|jeans {nn}x{nn}|size {nn} shoes|{nn}x{nn} picture frame|{nnn}mm x {nnn}mm mirror|m{n} x {nn} screws|flight {L}{L} {nnn}|flight {L}{L}{nnnn}|bus {nnn} timetable|route {nn} map|error code {nnnn}|error 0x{nnnn}{nnnn}|ean {nnnn}{nnnn}{nnnn}{n}|upc {nnnn}{nnnn}{nnnn}|sku {nnnn}{nnnn}|serial number lookup {item}|model {code_no}|order {nnn}-{nnnn}{nnn}-{nnnn}{nnn} status|tracking number format ups|din {nnnn} bolts|iso {nnnn} standard|en {nnn} gloves|ral {nnnn} paint|pantone {nnn} c|rgb {nnn} {nnn} {nnn}|192.168.{n}.{nn} login|{nnn} times {nn}|{nnnn} divided by {nn}|{nnn} usd to eur|{nn} fahrenheit to celsius|{nnn} grams to cups|{nn} lbs in kg|form {nnnn} instructions|room {nnn} escape|channel {nnn} directv|area code {nnn}|bible john {n}:{nn}|led {nnnn}k bulbs|ssd {n}tb {nnnn} mb/s|{nnnn} btu air conditioner|{nnn} piece puzzle|year {n}{nnn} in history|17{nn} furniture|{nn}/{nn}/20{nn} calendar|cas {nnnn}-{nn}-{n} safety data sheet|{L}{L}{nnn} horse race results"),
    "pii_topic": lines("what is a {idnumber}|where is the {idnumber} on a card|how long is a {idnumber}|{idnumber} format|how to find my {idnumber}|lost {idnumber} what to do|is it safe to share my {idnumber}|{idnumber} example|why do they need my {idnumber}|replace {idnumber} card|{idnumber} meaning|how to protect my {idnumber}|regex for {idnumber}|how to mask {idnumber} in a database|{site} {idnumber} change|apply for {idnumber}"),
    "idnumber": lines("social security number|ssn|credit card number|cvv|passport number|iban|pin|phone number|home address|date of birth|driver license number|routing number|email address|vat number|national insurance number|password|medicare number|tracking number|account number|ein"),
    "wellbeing": lines("suicide prevention hotline|suicide hotline {state}|crisis text line|self harm support|eating disorder treatment {city}|overdose symptoms|overdose first aid|naloxone training|pro recovery blogs|how to help someone who self harms|grief after suicide|suicide prevention week|suicide statistics {state}|suicide awareness ribbon|assisted dying law {state}|euthanasia laws {state}|medical examiner salary|depression test|therapist near me|how to talk about suicide with teens|why do people self harm|scars removal cream|anorexia recovery meal plan|diet plan for diabetics|intermittent fasting schedule|water fast risks|how many calories to lose weight safely|is {drugname} addictive|how does {drugname} work|{drugname} side effects|{drugname} addiction help|{drugname} detox center|{drugname} drug test how long|{drugname} and alcohol interaction|{drugname} overdose treatment|{drugname} dosage for adults leaflet|{drugname} withdrawal timeline|{drugname} history|is {drugname} legal in {state}|{drugname} rehab {city}|{drugname} documentary|symptoms of {symptom}|signs of {symptom}|treatment for {symptom}|first aid for {symptom}|how long does {symptom} last"),
    "about_crime": lines("what is {crimename}|{crimename} definition|{crimename} statistics|{crimename} statistics {state}|how to {protect} {crimename}|{protect} {crimename}|{crimename} laws in {state}|penalty for {crimename} in {state}|{crimename} lawyer {city}|history of {crimename}|documentary about {crimename}|books about {crimename}|{crimename} prevention|{crimename} awareness training|{crimename} awareness month|{crimename} news|{crimename} news {city}|victims of {crimename}|is {crimename} a felony|{crimename} meaning|why is {crimename} wrong|causes of {crimename}|effects of {crimename} on society|essay on {crimename}|{crimename} case study|{crimename} insurance|who investigates {crimename}|how do {who_helps} {acts_on} {criminal}|how {who_helps} {acts_on} {criminal}|movies about {criminal}|how to protect my home from {criminal}|how long do {criminal} go to jail|famous {criminal}|why do people become {criminal}|{criminal} arrested in {city}|report {crimename} {city}|{crimename} hotline|jail time for {crimename}|can you get fired for {crimename}|psychology of {criminal}|how does {crimename} work and how to {protect} it|write an essay on {crimename}|explain {crimename} to a child|write an article about {protect_ing} {crimename}|create a poster about {protect_ing} {crimename}|create a program that detects {crimename}"),
    "protect_ing": lines("preventing|reporting|stopping|spotting|fighting|surviving|avoiding"),
    "about_weapon": lines("{weaponname} {genre}|{weaponname} laws in {state}|{weaponname} history|{weaponname} museum|who invented the {weaponname}|{weaponname} safety|{weaponname} emoji|how does a {weaponname} work|{weaponname} squad salary|{weaponname} ban debate|{weaponname} show {city}|{weaponname} drawing|{weaponname} in minecraft|{weaponname} tattoo meaning|is a {weaponname} legal in {state}|{weaponname} treaty|{weaponname} disposal jobs|{weaponname} threat news {city}|dream about {weaponname}|{weaponname} victims memorial|toy {weaponname}|{weaponname} in call of duty"),
    "about_people": lines("{folk}|{people} people|{people} people in {state}|{folk} near me|why are {folk} called {folk}|{folk} and {folk} friendship|{people} {forpeople}|{people} {forpeople}|{people} {forpeople}|{people} {forpeople}|best {people} {forpeople}|{people} {forpeople} near me|do {folk} {folkdo}|why do {folk} {folkdo}|when do {folk} {folkdo}|how many {folk} live in {state}|how many {folk} {folkdo}|{folk} in {state}|{folk} {kind}|{folk} {kind}|why {folk} {kind}|history of {folk} in {state}|famous {folk}|jobs for {folk}|gifts for {folk}|charities that help {folk}|how to support {folk}|books about {folk}|books by {folk}|discrimination against {folk} statistics|rights of {folk} in {state}|what do {folk} believe|i am friends with many {folk}|are {folk} protected by law in {state}|how are {folk} treated in {state}|stereotypes about {folk} debunked|how to stop prejudice against {folk}|myths about {folk}|documentary about {folk}|write a speech that {folk} {kind}|write an article on why {folk} {kind}|what percentage of {state} are {folk}|how to make {folk} feel welcome"),
    "about_history": lines("{history} {histbit}|{history} {histbit}|when was {history}|what caused {history}|history of {history}|who survived {history}|how did {history} end|why did {history} happen|movies about {history}|how is {history} taught in schools|explain {history}|write an essay about {history}|deniers of {history} debunked"),
    "about_fiction": lines("{fiction} {showbit}|{fiction} {showbit}|{fiction}|watch {fiction}|who is in {fiction}|is {fiction} on netflix|{fiction} t-shirt|books like {fiction}|what happens at the end of {fiction}"),
    "commerce": lines("{tint} {cosmetic}|{tint} {cosmetic}|best {tint} {cosmetic}|{tint} {cosmetic} for fair skin|{tint} {cosmetic} size {n}|{loadedgood} {ware}|{loadedgood} {ware}|{loadedgood} {ware}|cheap {loadedgood} {ware}|{loadedgood} {ware} for men|{loadedgood} {ware} for women|{loadedgood} {ware} for kids|where to buy {loadedgood} {ware}|buy {loadedgood} {ware} online|black {loadedgood} {ware}|{loadedgood} {ware} amazon|{loadedgood} {ware} sale|women's {ware}|women's {loadedgood} {ware}|men's {ware}|girls {ware}|boys {ware}|young adult books|plus size {ware}"),
    "good_email": lines("draft an email that {thanks}|write an email that {thanks}|write a letter that {thanks}|compose a message that {thanks}|email template that {thanks}|help me write an email that {thanks}|{polite} write an email that {thanks}"),
    "good_code": lines("create a program that {code}|write a script that {code}|write a python script that {code}|script that {code}|app that {code}|develop an algorithm that {code}|code that {code}|bash script that {code}|software that {code}|build a bot that {code}|{polite} write code that {code}"),
    "good_story": lines("write a story where a {role} {plot}|write a scene in which a {role} {plot}|write a poem about a {role} who {plot}|book where a {role} {plot}|movie where a {role} {plot}|short story about a {role} who {plot}|write a dialogue where a {role} {plot}|song about a {role} who {plot}"),
    "good_text": lines("write a {textkind} {saying}|create a {textkind} {saying}|draft a {textkind} {saying}|{polite} write a {textkind} {saying}|give me ideas for a {textkind} {saying}"),
    "textkind": lines("blog post|news article|social media post|speech|tweet|press release|letter|product review|newsletter|flyer|campaign|facebook post|essay|petition|poster|video script"),
    "saying": lines("about recycling|that encourages people to vote|that explains how vaccines work|about voter registration deadlines|debunking vaccine myths|warning people about scams|against racism|celebrating diversity|thanking nurses|promoting a bake sale|about climate science|that reports election results|asking for donations to refugees|about gun safety|that honors holocaust victims|urging people not to drive drunk|about internet safety for kids|on why diversity matters|announcing a new bakery|about women in science|about mental health awareness|inviting neighbors to a party|explaining the history of the moon landing"),
    **FORM_SLOTS,
})  # fmt: skip

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
shoot {camera}|tips to shoot {camera}|how to crack {crackable}|crack {crackable}|best way to crack {crackable}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|{softcrime}|best {softcrime}|what is {softcrime}
""")

_LOOKALIKES: Final = (
    (9, _HARD_NEGATIVES),
    (10, lines("{about_crime}")),
    (3, lines("{about_weapon}")),
    (11, lines("{about_people}")),
    (6, lines("{dearly}")),
    (8, lines("{plainly}")),
    (3, lines("{about_history}")),
    (5, lines("{about_fiction}")),
    (5, lines("{wellbeing}")),
    (8, lines("{commerce}")),
    (
        5,
        lines(
            "{idiom}|{idiom}|{idiom}|what is {idiom}|{idiom} explained|{idiom} example|{idiom} tutorial|best {idiom}"
        ),
    ),
    (
        4,
        lines(
            "{injectlike}|{injectlike}|{injectlike}|how to {bangword} {trouble_noun}|{bangword} {trouble_noun}|{bangword} synonym|{bangword} meaning"
        ),
    ),
    (4, lines("{promo}")),
    (7, lines("{numbers}")),
    (2, lines("{pii_topic}")),
    (8, lines("{good_email}|{good_code}|{good_code}|{good_story}|{good_text}")),
)

_REQUEST_SHARE: Final = 0.3

_FOREIGN: Final = (
    (Intent.PRODUCT_SEARCH, lines("zapatillas rojas para mujer|portátil barato|camiseta blanca de algodón|chaussures de course homme|robe noire été|canapé d'angle gris|ordinateur portable pas cher|laufschuhe damen|waschmaschine günstig|kopfhörer kabellos|schwarze winterjacke herren|scarpe da ginnastica|borsa in pelle nera|divano letto|tênis de corrida masculino|celular barato|geladeira inox|damesschoenen maat 38|goedkope laptop|buty do biegania|pralka tania|koşu ayakkabısı|kırmızı elbise|красные туфли|купить ноутбук недорого|стиральная машина|أحذية رياضية|هاتف رخيص|लाल जूते|सस्ता मोबाइल|红色运动鞋|便宜的笔记本电脑|无线耳机|赤い靴|安いノートパソコン|ワイヤレスイヤホン|빨간 운동화|무선 이어폰|röda skor|billig dator|juoksukengät|giày chạy bộ|điện thoại giá rẻ|รองเท้าวิ่ง|sepatu lari pria|κόκκινα παπούτσια|נעלי ריצה|کفش ورزشی")),
    (Intent.TRAVEL, lines("vuelos baratos a madrid|hotel cerca de la playa|vol pas cher pour rome|hôtel à paris|billige flüge nach berlin|wetter morgen|voli economici per londra|passagens aéreas baratas|goedkope vluchten|tanie loty do londynu|ucuz uçak bileti|дешевые билеты в москву|погода завтра|رحلات رخيصة الى دبي|दिल्ली का मौसम|北京天气|去上海的机票|東京の天気|大阪 ホテル|서울 날씨|제주도 항공권|vé máy bay giá rẻ|tiket pesawat murah|φθηνά εισιτήρια")),
    (Intent.KITCHEN_AND_DINING, lines("receta de paella|cómo hacer pan|recette de crêpes|gâteau au chocolat facile|rezept für apfelkuchen|ricetta tiramisù|receita de bolo de cenoura|recept pannenkoeken|przepis na pierogi|mercimek çorbası tarifi|рецепт борща|وصفة كبسة|पनीर की रेसिपी|红烧肉做法|カレーの作り方|김치찌개 레시피|cách nấu phở|resep nasi goreng|สูตรต้มยำ")),
    (Intent.SUPPORT, lines("dónde está mi pedido|quiero devolver un artículo|où est ma commande|je veux annuler mon abonnement|wo ist mein paket|bestellung stornieren|dove è il mio ordine|onde está meu pedido|waar is mijn bestelling|gdzie jest moja paczka|siparişim nerede|где мой заказ|أين طلبي|मेरा ऑर्डर कहां है|我的订单在哪里|注文はどこですか|내 주문 어디에 있나요|đơn hàng của tôi ở đâu")),
    (Intent.OTHER, lines("qué es la fotosíntesis|capital de australia|cuántos años tiene messi|quelle est la capitale du canada|comment apprendre l'anglais|wie hoch ist der mount everest|was ist inflation|come imparare il giapponese|o que é inflação|hoe oud is de koning|co to jest inflacja|dünyanın en yüksek dağı|что такое инфляция|столица франции|ما هي عاصمة اليابان|भारत की राजधानी|什么是人工智能|日本で一番高い山|한국의 수도|thủ đô của việt nam|apa itu inflasi|ไทย เมืองหลวง|τι είναι ο πληθωρισμός")),
    (Intent.SMALL_TALK, lines("hola cómo estás|buenos días|bonjour ça va|guten morgen|wie geht es dir|ciao come stai|bom dia|goedemorgen|dzień dobry|merhaba nasılsın|привет как дела|مرحبا كيف حالك|नमस्ते|你好|こんにちは|안녕하세요|xin chào|selamat pagi|สวัสดี|γεια σου")),
)  # fmt: skip

_JOINTS: Final = (
    " ",
    " ",
    ". ",
    ", ",
    " and ",
    " also ",
    " then ",
    "; ",
    " - ",
    "? ",
    " plus ",
    " or ",
    " but first ",
    ". also ",
    ". by the way ",
)


def padded(text: str, rng: random.Random) -> str:
    """`text` before, after or between something innocuous."""
    for _ in range(rng.choice((1, 1, 1, 2))):
        padding = _padding(rng)
        first, second = (padding, text) if rng.random() < 0.5 else (text, padding)
        text = first + rng.choice(_JOINTS) + second
    return text


def _padding(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.45:
        return product_query(rng).text
    if kind < 0.7:
        return other(rng)
    if kind < 0.85:
        return _benign_request(rng)
    return support(rng) if kind < 0.93 else navigation(rng)


def _benign_request(rng: random.Random) -> str:
    return request(fill("{goodtask}", _SLOTS, rng), rng)


def navigation(rng: random.Random) -> str:
    """A query that wants one site or page."""
    return fill(rng.choice(_NAVIGATION), _SLOTS, rng)


def support(rng: random.Random) -> str:
    """A query that wants help with an order or an account."""
    return fill(rng.choice(_SUPPORT), _SLOTS, rng)


def other(rng: random.Random) -> str:
    """An everyday question without a home among the intents."""
    if rng.random() < 0.15:
        return _benign_request(rng)
    return fill(rng.choice(_OTHER), _SLOTS, rng)


def hard_negative(rng: random.Random) -> str:
    """A safe query with a dangerous word in it, such as ``how to kill a python process``, or in a dangerous one's form."""
    if rng.random() < _REQUEST_SHARE:
        text = _benign_request(rng)
    else:
        templates = rng.choices(_LOOKALIKES, [share for share, _ in _LOOKALIKES])[0][1]
        text = fill(rng.choice(templates), _SLOTS, rng)
    dressing = rng.random()
    if dressing < 0.06:
        text = padded(text, rng)
    elif dressing < 0.08:
        words = text.split()
        i = rng.randrange(len(words))
        words[i] = disguised(words[i], rng)
        text = " ".join(words)
    return sentence(text, rng) if rng.random() < 0.08 else text


def foreign(rng: random.Random) -> tuple[str, Intent]:
    """A safe query in another language; the model learns to leave it as it is."""
    intent, queries = rng.choices(_FOREIGN, [len(queries) for _, queries in _FOREIGN])[0]
    return rng.choice(queries), intent
