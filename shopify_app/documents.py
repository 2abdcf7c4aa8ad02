"""Every document that is sent to the Admin API, with no field more than is used. A contract test holds them to Shopify's schema."""

SHOP = """
query Shop {
  shop {
    id name contactEmail currencyCode currencyFormats { moneyFormat } ianaTimezone plan { publicDisplayName }
    customerAccountsV2 { customerAccountsVersion }
  }
  currentAppInstallation { id accessScopes { handle } }
}
"""

INSTALLATION = """
query Installation { currentAppInstallation { id } }
"""

_ORDER_LINE = """
id quantity currentQuantity isGiftCard
originalUnitPriceSet { shopMoney { amount } }
discountAllocations { allocatedAmountSet { shopMoney { amount } } }
taxLines { priceSet { shopMoney { amount } } }
"""

# Rules may be about some goods. A product that is in more collections than these is known by the first of them.
MOST_COLLECTIONS = 50
_CATALOGUE = f"id tags collections(first: {MOST_COLLECTIONS}) {{ nodes {{ id }} }}"

# Where an order went is made into a mark at once (address_mark). An app may not have been approved to see it.
_ADDRESS = "shippingAddress { address1 address2 city zip countryCodeV2 }"

_ORDER_HEAD = (
    """
id name createdAt updatedAt cancelledAt test sourceName displayFinancialStatus email discountCodes
currencyCode presentmentCurrencyCode taxesIncluded dutiesIncluded
totalPriceSet { shopMoney { amount } presentmentMoney { amount } }
totalOutstandingSet { shopMoney { amount } }
totalReceivedSet { shopMoney { amount } presentmentMoney { amount } }
totalTipReceivedSet { shopMoney { amount } }
currentTotalDutiesSet { shopMoney { amount } }
currentTotalAdditionalFeesSet { shopMoney { amount } }
shippingLine {
  isRemoved discountedPriceSet { shopMoney { amount } }
  taxLines { priceSet { shopMoney { amount } } }
}
customer { id verifiedEmail defaultEmailAddress { emailAddress } }
"""
    + _ADDRESS
)

# The sizes keep the worst case well under what one query may cost. An order with more refunds or transactions than these
# falls back on its own totals (order_node).
ORDER = (
    """
query Order($id: ID!, $after: String) {
  order(id: $id) {"""
    + _ORDER_HEAD
    + """
    totalRefundedSet { shopMoney { amount } presentmentMoney { amount } }
    totalRefundedShippingSet { shopMoney { amount } }
    lineItems(first: 10, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { product {"""
    + _CATALOGUE
    + "}"
    + _ORDER_LINE
    + """}
    }
    transactions(first: 100) { kind status amountSet { shopMoney { amount } presentmentMoney { amount } } }
    refunds(first: 25) {
      duties { amountSet { shopMoney { amount } } }
      refundShippingLines(first: 2) {
        nodes { subtotalAmountSet { shopMoney { amount } } taxAmountSet { shopMoney { amount } } }
      }
    }
  }
}
"""
)
ORDER_WITHOUT_ADDRESS = ORDER.replace(_ADDRESS, "")
MOST_TRANSACTIONS = 100
MOST_REFUNDS = 25

# The oldest change first: an order that changes while the list is read moves to its end.
ORDERS_CHANGED = """
query OrdersChanged($search: String!, $after: String) {
  orders(first: 100, after: $after, query: $search, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes { id updatedAt }
  }
}
"""

# A bulk query may hold no connection inside a list, so shipping that was given back comes as the order's own total.
BULK_ORDERS = (
    """
{
  orders(query: "%s", sortKey: CREATED_AT) {
    edges { node {"""
    + _ORDER_HEAD
    + """
      totalRefundedSet { shopMoney { amount } presentmentMoney { amount } }
      totalRefundedShippingSet { shopMoney { amount } }
      transactions { kind status amountSet { shopMoney { amount } presentmentMoney { amount } } }
      lineItems { edges { node { product { id }"""
    + _ORDER_LINE
    + """} } }
    } }
  }
}
"""
)
BULK_ORDERS_WITHOUT_ADDRESSES = BULK_ORDERS.replace(_ADDRESS, "")

# What an import asks beside its file, whose lines cannot hold the collections of their products.
CATALOGUE = (
    "query Catalogue($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Product {" + _CATALOGUE + "} } }"
)
MOST_PRODUCTS = 15

_CUSTOMER = """
id firstName lastName locale state createdAt updatedAt
verifiedEmail defaultEmailAddress { emailAddress marketingState marketingUpdatedAt }
"""

CUSTOMER = "query Customer($id: ID!) { customer(id: $id) {" + _CUSTOMER + "} }"

BULK_CUSTOMERS = "{ customers { edges { node {" + _CUSTOMER + "} } } }"

BULK_RUN = """
mutation BulkRun($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: true) {
    bulkOperation { id status }
    userErrors { field code }
  }
}
"""

BULK_STATE = """
query BulkState($id: ID!) {
  bulkOperation(id: $id) { id status errorCode rootObjectCount url }
}
"""

DISCOUNT_CREATE = """
mutation DiscountCreate($discount: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $discount) {
    codeDiscountNode { id }
    userErrors { field code }
  }
}
"""

FREE_SHIPPING_CREATE = """
mutation FreeShippingCreate($discount: DiscountCodeFreeShippingInput!) {
  discountCodeFreeShippingCreate(freeShippingCodeDiscount: $discount) {
    codeDiscountNode { id }
    userErrors { field code }
  }
}
"""

_DISCOUNT_STATE = """
codeDiscount {
  ... on DiscountCodeBasic { title asyncUsageCount }
  ... on DiscountCodeFreeShipping { title asyncUsageCount }
}
"""

DISCOUNT_BY_CODE = (
    """
query DiscountByCode($code: String!) {
  codeDiscountNodeByCode(code: $code) { id """
    + _DISCOUNT_STATE
    + """}
}
"""
)

DISCOUNT_DEACTIVATE = (
    """
mutation DiscountDeactivate($id: ID!) {
  discountCodeDeactivate(id: $id) {
    codeDiscountNode { id """
    + _DISCOUNT_STATE
    + """}
    userErrors { field code }
  }
}
"""
)

VARIANT_PRICE = """
query VariantPrice($id: ID!) { productVariant(id: $id) { price } }
"""

_GIFT_CARD = "id lastCharacters note balance { amount } initialValue { amount }"

GIFT_CARD_CREATE = """
mutation GiftCardCreate($card: GiftCardCreateInput!) {
  giftCardCreate(input: $card) { giftCard { id } userErrors { field code } }
}
"""

GIFT_CARDS_FOUND = (
    """
query GiftCardsFound($search: String!, $most: Int!) {
  giftCards(first: $most, query: $search) { nodes { """
    + _GIFT_CARD
    + """ } }
}
"""
)

GIFT_CARD = (
    """
query GiftCard($id: ID!) { giftCard(id: $id) { """
    + _GIFT_CARD
    + """ } }
"""
)

GIFT_CARD_DEACTIVATE = (
    """
mutation GiftCardDeactivate($id: ID!) {
  giftCardDeactivate(id: $id) { giftCard { """
    + _GIFT_CARD
    + """ } userErrors { field code } }
}
"""
)

STORE_CREDIT_GIVE = """
mutation StoreCreditGive($customer: ID!, $credit: StoreCreditAccountCreditInput!) {
  storeCreditAccountCredit(id: $customer, creditInput: $credit) {
    storeCreditAccountTransaction { id }
    userErrors { field code }
  }
}
"""

# The newest first. A customer has one account for each currency.
STORE_CREDITS = """
query StoreCredits($customer: ID!) {
  customer(id: $customer) {
    storeCreditAccounts(first: 10) {
      nodes {
        balance { currencyCode }
        transactions(first: 25, reverse: true, query: "type:credit") {
          nodes {
            ... on StoreCreditAccountCreditTransaction {
              id createdAt expiresAt event amount { amount currencyCode }
            }
          }
        }
      }
    }
  }
}
"""

METAFIELDS_SET = """
mutation MetafieldsSet($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) {
    metafields { key }
    userErrors { field code elementIndex }
  }
}
"""
