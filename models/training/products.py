"""A grammar of product queries: nouns with their category and synonyms, and what people put around them.

The lists are ours. A line of `_CATALOGUE` is ``Category: noun = synonym | synonym, noun, ...``.
"""

import random
from dataclasses import dataclass
from typing import Final

from models.training.templates import lines

_CATALOGUE: Final = """
Shoes: sneakers = trainers | running shoes, running shoes = sneakers | trainers, boots, ankle boots, hiking boots = walking boots, sandals, flip flops = thongs, high heels = stilettos | pumps, loafers = slip ons, slippers = house shoes, ballet flats, football boots = soccer cleats, rain boots = wellies | wellingtons, oxford shoes, clogs, espadrilles
Clothing: t shirt = tee, jeans = denim pants, hoodie = hooded sweatshirt, sweater = jumper | pullover, jacket = coat, raincoat = rain jacket, dress, evening gown = formal dress, skirt, leggings, shorts, polo shirt, blouse, trousers = pants, cardigan, blazer = suit jacket, swimsuit = bathing suit, pyjamas = pajamas, socks, scarf, gloves, beanie = knit hat, tracksuit, overalls = dungarees, underwear, bra, tights = pantyhose, vest = waistcoat, parka, suit, tie = necktie, belt, sports bra, wedding dress
Bags: backpack = rucksack, handbag = purse, tote bag, suitcase = luggage | trolley, wallet = billfold, laptop bag, duffel bag = gym bag, fanny pack = belt bag | bum bag, crossbody bag, diaper bag = nappy bag, messenger bag
Watches & Jewellery: watch = wristwatch, smart watch = smartwatch, necklace, earrings, bracelet, engagement ring, wedding band, cufflinks, sunglasses = shades, pendant
Phones: smartphone = mobile phone | cell phone, phone case = phone cover, screen protector, phone charger = charging cable, wireless charger, power bank = portable charger, sim card, bluetooth headset, phone holder = phone mount, cordless phone = landline phone, selfie stick
Computers & Tablets: laptop = notebook computer, gaming laptop, chromebook, desktop computer = desktop pc, tablet, monitor = computer screen, keyboard, mechanical keyboard, wireless mouse, mouse pad, webcam, external hard drive, solid state drive = ssd, usb stick = flash drive | thumb drive, graphics card = gpu, motherboard, memory card = sd card, router = wifi router, ethernet cable = network cable, laptop stand, docking station, usb hub, printer, ink cartridge = printer ink, toner, scanner, wifi extender
TV & Audio: television = tv, smart tv, oled tv, soundbar, home theater = home cinema, projector, streaming stick, tv stand = media console, tv wall mount, remote control, antenna = aerial, headphones = headset, earbuds = in ear headphones, noise cancelling headphones, bluetooth speaker, turntable = record player, amplifier, subwoofer, microphone, bookshelf speakers, hdmi cable, radio, dvd player, blu ray player
Cameras: digital camera, mirrorless camera, dslr camera, camera lens, tripod, action camera, camcorder = video camera, drone, instant camera, camera bag, security camera = surveillance camera, dash cam = dashboard camera, baby monitor, binoculars, telescope
Video Games: game console = gaming console, game controller = gamepad, gaming chair, gaming headset, gaming mouse, racing wheel, video game, board game, jigsaw puzzle, playing cards, chess set
Kitchen Appliances: refrigerator = fridge, freezer, dishwasher, oven, microwave = microwave oven, toaster, toaster oven, coffee maker = coffee machine, espresso machine, kettle = electric kettle, blender, food processor, stand mixer = kitchen mixer, slow cooker = crock pot, pressure cooker = instant pot, rice cooker, air fryer, juicer, waffle maker, bread maker, ice cream maker, range hood = extractor hood, cooktop = hob | stove, wine cooler, water filter
Cookware: frying pan = skillet, saucepan, knife set, cutting board = chopping board, baking sheet = cookie sheet, mixing bowl, measuring cups, cake tin = cake pan, wok, casserole dish, cast iron skillet, kitchen scale, can opener = tin opener, corkscrew, cutlery = silverware | flatware, dinner plates, wine glasses, coffee mug, lunch box, water bottle, thermos = vacuum flask, tea pot, spice rack, dish rack
Home Appliances: vacuum cleaner = hoover, robot vacuum, washing machine = washer, tumble dryer = clothes dryer, steam iron, air purifier, humidifier, dehumidifier, space heater = electric heater, air conditioner, ceiling fan, sewing machine, hair dryer = blow dryer, hair straightener = flat iron, electric shaver = electric razor, electric toothbrush, thermostat
Furniture: sofa = couch | settee, sectional sofa = corner sofa, coffee table, dining table, dining chairs, bed frame, mattress, bunk bed, bedside table = nightstand, dresser = chest of drawers, wardrobe = closet | armoire, bookcase = bookshelf, desk = writing desk, standing desk, office chair = desk chair, bar stool, armchair = accent chair, recliner, ottoman = footstool, console table = entry table, shoe rack, filing cabinet, shelving unit, patio furniture = garden furniture, outdoor bench, hammock, crib = cot, vanity table, kitchen island, daybed, futon
Home Decor: area rug = carpet, curtains = drapes, blinds = window shades, table lamp, floor lamp, chandelier, pendant light, wall art, picture frame = photo frame, mirror, throw pillow = cushion, duvet cover = quilt cover, bed sheets, comforter = duvet, blanket, weighted blanket, towel = bath towel, shower curtain, bath mat, candle, vase, wallpaper, clock = wall clock, doormat, artificial plant, string lights = fairy lights, christmas tree, pillow, light bulb, laundry basket, trash can = garbage bin
Garden: lawn mower, garden hose, hedge trimmer, leaf blower, pressure washer, barbecue grill = bbq | grill, fire pit, patio umbrella = parasol, planter = plant pot, greenhouse, garden shed, wheelbarrow, bird feeder, fertilizer, weed killer = herbicide, potting soil = compost, outdoor lights, swimming pool, trampoline, chainsaw, rake
Tools: cordless drill = power drill, screwdriver set, hammer, nail gun, circular saw, jigsaw, ladder = step ladder, tool box = toolbox, wrench = spanner, pliers, tape measure, spirit level, soldering iron, hot glue gun, paint brush, spray paint, sandpaper, duct tape, work gloves, socket set, door lock, faucet = tap, shower head, toilet seat, smoke detector, extension cord = extension lead, led strip lights, flashlight = torch
Sports: yoga mat, dumbbells = weights, kettlebell, treadmill, exercise bike, rowing machine, resistance bands, mountain bike, electric bike = e bike, road bike, bike helmet, bike lock, scooter, electric scooter, skateboard, tennis racket, golf clubs, basketball, soccer ball = football, baseball glove, boxing gloves, fishing rod = fishing pole, tent, sleeping bag, camping stove, kayak, paddle board, wetsuit, ski jacket, snowboard, roller skates, swimming goggles, fitness tracker, jump rope = skipping rope, protein powder
Baby: stroller = pushchair | pram, car seat = child seat, high chair, baby bottle, pacifier = dummy, diapers = nappies, baby carrier, baby wipes, breast pump, baby clothes, teething toy, baby bath
Toys: building blocks, doll, dollhouse, toy car, train set, teddy bear = stuffed animal | plush toy, remote control car = rc car, play kitchen, water gun, kite, craft kit, modelling clay, puzzle, action figure, costume = fancy dress
Beauty: lipstick, foundation = makeup base, mascara, eyeliner, nail polish = nail varnish, perfume = fragrance, cologne = aftershave, shampoo, conditioner, face cream = moisturizer, sunscreen = sun cream, body lotion, hand soap, face mask, hair dye = hair color, makeup brush, toothpaste, deodorant, razor, beard trimmer, essential oils, bath bomb, serum
Health: vitamins, first aid kit, blood pressure monitor, thermometer, pain reliever = painkiller, knee brace, heating pad, massage gun, reading glasses, contact lenses, hand sanitizer, wheelchair, crutches, allergy medicine
Groceries: olive oil, coffee beans, green tea, dark chocolate, peanut butter, almond milk, pasta, brown rice, honey, cereal, oatmeal = porridge, red wine, craft beer, sparkling water, cheese, organic eggs, chicken breast, salmon, gluten free bread, dog food, cat food, snacks, hot sauce, flour, maple syrup
Pets: dog bed, dog collar, dog leash = dog lead, cat litter, litter box, scratching post, fish tank = aquarium, bird cage, hamster cage, pet carrier, dog toys, cat tree, flea treatment
Automotive: car tires = car tyres, car battery, brake pads, floor mats, seat covers, roof rack, car charger, windshield wipers = windscreen wipers, motor oil = engine oil, motorcycle helmet, car vacuum, jump starter, car speakers, trailer hitch = tow bar
Books & Office: cookbook, childrens book, mystery novel = crime novel, science fiction book, notebook, planner, fountain pen, ballpoint pens, highlighters, stapler, printer paper, envelopes, calculator, whiteboard, backpack, sticky notes, paper shredder, globe, calendar, greeting card
Music: acoustic guitar, electric guitar, guitar strings, digital piano = electric piano, keyboard stand, drum set = drum kit, violin, ukulele, flute, saxophone, music stand, vinyl records
"""

BRANDS: Final = lines("""
    apple|samsung|sony|lg|nike|adidas|puma|reebok|asics|new balance|levis|zara|gucci|prada|dell|lenovo|hp|asus
    acer|microsoft|logitech|canon|nikon|fujifilm|gopro|bose|jbl|sennheiser|philips|panasonic|toshiba|whirlpool
    bosch|siemens|miele|dyson|shark|hoover|kitchenaid|cuisinart|ninja|tefal|nespresso|delonghi|breville|ikea
    ashley|sealy|casper|dewalt|makita|milwaukee|stanley|black decker|karcher|husqvarna|weber|coleman|north face
    patagonia|columbia|timberland|vans|converse|birkenstock|crocs|dr martens|skechers|under armour|garmin|fitbit
    casio|seiko|rolex|fossil|pandora|ray ban|oakley|lego|barbie|hasbro|mattel|nintendo|playstation|xbox|google
    amazon|kindle|anker|belkin|netgear|tp link|sandisk|seagate|western digital|corsair|razer|nvidia|intel|amd
    epson|brother|xiaomi|huawei|oneplus|motorola|nokia|pixel|iphone|ipad|macbook|galaxy|thinkpad|surface|airpods
    loreal|maybelline|nivea|dove|gillette|oral b|colgate|pampers|huggies|graco|chicco|michelin|goodyear|yamaha
    fender|gibson|moleskine|pilot|purina|royal canin|whiskas|herman miller|kenmore|frigidaire|electrolux|hisense
    tcl|vizio|roku|sonos
""")
_COLOURS: Final = lines("""
    black|white|red|blue|navy|green|grey|gray|pink|purple|yellow|orange|brown|beige|cream|gold|silver|rose gold
    turquoise|teal|burgundy|maroon|khaki|olive|charcoal|ivory|multicolor|lavender|mint|coral|tan|bronze|copper
""")
_MATERIALS: Final = lines("""
    leather|cotton|wool|linen|silk|suede|denim|velvet|wooden|oak|walnut|pine|metal|steel|stainless steel|plastic
    glass|ceramic|marble|bamboo|rattan|wicker|memory foam|fleece|cashmere|canvas|nylon|polyester|rubber
""")
_ADJECTIVES: Final = lines("""
    cheap|best|new|used|vintage|modern|large|small|mini|portable|wireless|waterproof|foldable|adjustable|electric
    professional|lightweight|heavy duty|luxury|organic|refurbished|compact|outdoor|indoor|comfortable
    rechargeable|cordless|smart|personalized|handmade|quiet|slim|oversized|extra large|king size|queen size
    double|single|round|square|rustic|industrial
""")
_AUDIENCES: Final = lines("""
    women|men|kids|girls|boys|toddlers|teens|seniors|beginners|travel|running|hiking|camping|work|school
    the office|the kitchen|bedroom|living room|bathroom|garden|small spaces|gaming|winter|summer|wedding
    christmas|car|home gym|sensitive skin|dry hair|wide feet|back pain|curly hair|the beach|halloween
""")
_SIZES: Final = lines("""
    size 8|size 10|size 42|xl|xxl|small|medium|large|32 inch|55 inch|65 inch|15.6 inch|13 inch|27 inch|128gb
    256gb|512gb|1tb|2tb|16gb|500 ml|1 liter|10 ft|6 ft|12v|60w|3 piece|set of 4|set of 6|pack of 10|4k|1080p
    usb c|5x7|8x10|2 person|4 person
""")
_TAILS: Final = (
    "sale",
    "on sale",
    "deals",
    "reviews",
    "clearance",
    "free shipping",
    "near me",
    "under 50",
    "under 100",
    "under $200",
    "gift ideas",
    "accessories",
    "replacement parts",
    "black friday",
    "bundle",
    "price",
    "discount",
    "2026",
    "compare",
    "with warranty",
)


@dataclass(frozen=True)
class Product:
    """One noun of the catalogue."""

    noun: str
    category: str
    synonyms: tuple[str, ...]


def _parse(catalogue: str) -> tuple[Product, ...]:
    products = []
    for line in catalogue.strip().splitlines():
        category, nouns = line.split(": ", 1)
        for entry in nouns.split(", "):
            noun, _, synonyms = entry.partition(" = ")
            products.append(Product(noun, category, tuple(synonyms.split(" | ")) if synonyms else ()))
    return tuple(products)


PRODUCTS: Final = _parse(_CATALOGUE)


@dataclass(frozen=True)
class ProductQuery:
    """A clean product query with what a ranker would like to know about it."""

    text: str
    synonyms: tuple[str, ...]
    facets: tuple[str, ...]


def product_query(rng: random.Random) -> ProductQuery:
    """One query such as ``nike red running shoes for women``, its synonyms (at most two) and facets (at most two)."""
    product = rng.choice(PRODUCTS)
    words = [product.noun if rng.random() < 0.85 or not product.synonyms else rng.choice(product.synonyms)]
    facets = [f"category:{product.category.lower()}"]
    if rng.random() < 0.22:
        words.insert(0, rng.choice(_MATERIALS))
    if rng.random() < 0.3:
        colour = rng.choice(_COLOURS)
        words.insert(0, colour)
        facets.append(f"colour:{colour}")
    if rng.random() < 0.25:
        words.insert(0, rng.choice(_ADJECTIVES))
    if rng.random() < 0.3:
        words.insert(0, rng.choice(BRANDS))
    if rng.random() < 0.2:
        audience = rng.choice(_AUDIENCES)
        words.append(rng.choice((f"for {audience}", audience)))
    if rng.random() < 0.18:
        words.append(rng.choice(_SIZES))
    if rng.random() < 0.12:
        words.append(rng.choice(_TAILS))
    if rng.random() < 0.06:
        rng.shuffle(words)
    synonyms = tuple(name for name in (product.noun, *product.synonyms) if name not in " ".join(words))
    return ProductQuery(" ".join(words), synonyms[:2], tuple(facets))
